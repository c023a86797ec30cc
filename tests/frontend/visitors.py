"""Visitors of a site: what visitors.mjs does, and what came of it."""

import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.frontend.programs import ROOT


@dataclass
class Visits:
    """Page loads, as tests/frontend/visitors.mjs tells of them."""

    all: list[dict[str, Any]]

    @property
    def broken(self) -> list[str]:
        return [it["broken"] for it in self.all if it.get("broken")]

    @property
    def in_time(self) -> "Visits":
        """Those that had their configuration within 300 ms; the others fell back as they should."""
        late = "config: over 300 ms"
        return Visits([it for it in self.all if late not in it.get("problems", [])])

    @property
    def on_canary(self) -> int:
        return sum(it.get("cohort") == "canary" for it in self.all)

    @property
    def problems(self) -> list[str]:
        return [problem for it in self.all for problem in it.get("problems", [])]

    def editions(self, cohort: str) -> set[str]:
        """Which shops were shown: `Blue shop`, `Green shop`, without what their flags add."""
        shown = (it["edition"] for it in self.all if it.get("cohort") == cohort)
        return {it.partition(" with ")[0] for it in shown}

    def since(self, moment: float) -> "Visits":
        """Those that began after a time.time()."""
        return Visits([it for it in self.all if it["at"] > moment * 1000])

    def until(self, moment: float) -> "Visits":
        """Those that began before it."""
        return Visits([it for it in self.all if it["at"] <= moment * 1000])


@dataclass
class Visitors:
    """Many visitors in one node process."""

    process: subprocess.Popen[str]

    def visit(self, url: str, *, returning: int = 0, fresh: int = 0) -> tuple[Visits, Visits]:
        """One page load each, by those who keep their cookies and by those who are new."""
        self.begin({"url": url, "returning": returning, "fresh": fresh})
        answer = self.end()
        return Visits(answer["returning"]), Visits(answer["fresh"])

    def begin(self, command: Mapping[str, object]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def end(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())


@contextmanager
def visitors() -> Iterator[Visitors]:
    command = ["node", "--experimental-vm-modules", "--no-warnings"]
    script = str(ROOT / "tests/frontend/visitors.mjs")
    with subprocess.Popen(
        [*command, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Visitors(process)
        assert process.stdin
        process.stdin.close()


def assert_fair(visits: Visits, share: int) -> None:
    """As many on canary as an honest draw may give, but once in a million."""
    count, p = len(visits.all), share / 100
    allowed = 4.9 * math.sqrt(count * p * (1 - p))
    assert abs(visits.on_canary - count * p) <= allowed, (visits.on_canary, count, share)
