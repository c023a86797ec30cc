"""`make record`: real rollouts as recordings for the demo, in the format of webhook/demo/data.

A row is a revision of the Canary, its router or a Deployment, or a hook with Lockstep's answer, in
the order of the store. The check that a scenario fails by is no hook of Lockstep's, and left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.client import Json
from tests.cluster.front import CHECK, Call
from tests.cluster.lab import Lab, lab
from tests.cluster.law import is_router
from tests.cluster.observer import Revision
from tests.cluster.rollout import Rollout
from tests.cluster.scenarios import PATHS, PROVIDERS, Scenario

SCENARIOS = {it.name: it for it in [*PATHS, *PROVIDERS] if it.name != "kuma"}
"""Of those that there are; Kuma's router has no namespace, which the demo asks of every object."""

_AT_ONCE = 24


@dataclass(frozen=True)
class Row:
    """One line; `at` is time.monotonic() in seconds. What has the same `rv` is ordered by `late`.

    A hook comes after the object whose revision it found: Flagger was waiting for its answer.
    """

    rv: int
    late: bool
    at: float
    what: Json


def rows(revisions: Iterable[Revision], calls: Iterable[Call]) -> list[Row]:
    """What the demo needs of one canary, in the store's order."""
    found = [_object(it) for it in revisions if _recorded(it)]
    found += [_hook(it) for it in calls if it.hook != CHECK]
    return sorted(found, key=lambda it: (it.rv, it.late, it.at))


def text(found: Sequence[Row]) -> str:
    """JSON Lines; `t` is in seconds from the first row, and never goes back."""
    return "".join(f"{json.dumps(it, separators=(',', ':'))}\n" for it in _timed(found))


def _timed(found: Sequence[Row]) -> Iterator[Json]:
    begin = at = found[0].at
    for it in found:
        at = max(at, it.at)  # the watches of two kinds may tell in another order than the store's
        yield {"rv": it.rv, "t": round(at - begin, 3), **it.what}


def _recorded(it: Revision) -> bool:
    return it.kind in ("Canary", "Deployment", "DaemonSet") or is_router(it.kind)


def _object(it: Revision) -> Row:
    metadata = {key: value for key, value in it.object["metadata"].items()
                if key != "managedFields"}  # fmt: skip
    what = {"type": "object", "verb": it.verb, "object": {**it.object, "metadata": metadata}}
    return Row(it.rv, late=False, at=it.at, what=what)


def _hook(it: Call) -> Row:
    what = {"type": "hook", "hook": it.hook, "payload": it.payload, "answer": it.status}
    return Row(it.rv, late=True, at=it.at, what=what)


def record(made: Lab, scenarios: Sequence[Scenario], folder: Path) -> list[Path]:
    """Play scenarios side by side, and write a file for each.

    Raises:
        TimeoutError: one of them does not go as it should.
    """
    made.front.revision = made.client.version
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda it: _record(made, it, folder), scenarios))


def _record(made: Lab, it: Scenario, folder: Path) -> Path:
    rollout = Rollout(made, it.name, it.spec, it.analysis, it.hooks, it.workload)
    rollout.create()
    it.play(rollout)
    made.settled(it.name)
    found = rows(made.observer.of(it.name).ordered(), made.front.of(it.name))
    path = folder / f"{it.name}.jsonl"
    path.write_text(text(found))
    return path


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="make record")
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenarios", nargs="+", choices=SCENARIOS, metavar="scenario")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    chosen = [SCENARIOS[name] for name in arguments.scenarios]
    with TemporaryDirectory(prefix="lockstep-record-") as folder, lab(Path(folder)) as made:
        made.start_replica()
        for path in record(made, chosen, arguments.folder):
            print(path)  # noqa: T201 - the command's voice


if __name__ == "__main__":
    main()
