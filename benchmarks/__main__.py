"""`make bench`: measure everything in one run, print it, and write it into docs/performance.md."""

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import apiserver, latency, report, world
from benchmarks.api import Access, Api
from benchmarks.follow import follow
from benchmarks.latency import Gate
from benchmarks.process import Lockstep, serving
from benchmarks.results import Comparison, Results, Size
from webhook.settings import Settings

_DOCUMENT = Path(__file__).parents[1] / "docs/performance.md"
_COUNTS = (1, 100, 1000)
_WRITES = 200
_ROUNDS = {1: 200, 50: 20}
"""How often so many callers call at once."""

_IDLE_SECONDS = 60.0


def main() -> None:
    """Measure, print and write."""
    load, *_ = os.getloadavg()
    with (
        tempfile.TemporaryDirectory(prefix="lockstep-bench-") as folder,
        apiserver.running(Path(folder)) as access,
    ):
        text = report.tables(_measure(access, Path(folder), load))
    print(text)  # noqa: T201
    _DOCUMENT.write_text(report.replaced(_DOCUMENT.read_text(), text))


def _measure(access: Access, folder: Path, load: float) -> Results:
    api = Api(access)
    sizes: list[Size] = []
    gates: tuple[Comparison, ...] = ()
    idle = 0.0
    for count in _COUNTS:
        _say(f"{count} canaries")
        _create(api, sizes[-1].canaries if sizes else 0, count)
        with serving(access.kubeconfig, folder) as lockstep:
            started = time.monotonic()
            lockstep.wait_for_rest()
            followed = follow(api, _WRITES)
            if count == _COUNTS[-1]:
                gates = _gates(Gate(api, lockstep), count)
                idle = _idle(lockstep, started)
            sizes.append(Size(count, followed, lockstep.memory()))
    api.close()
    return Results(access.what, load, tuple(sizes), gates, idle, _IDLE_SECONDS)


def _create(api: Api, first: int, end: int) -> None:
    apiserver.add_namespaces(api, world.new_namespaces(first, end))
    world.create(api, range(first, end))


def _gates(gate: Gate, among: int) -> tuple[Comparison, ...]:
    _say("gates")
    return tuple(
        gate.compare(latency.canaries(callers, among), rounds, busy=busy)
        for callers, rounds in _ROUNDS.items()
        for busy in (False, True)
    )


def _idle(lockstep: Lockstep, started: float) -> float:
    """The share of a core at rest, once the resync has begun: its first round comes late."""
    _say("rest")
    time.sleep(max(0.0, started + Settings().resync - time.monotonic()))
    return lockstep.busy(_IDLE_SECONDS)


def _say(what: str) -> None:
    print(f"==> {what}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
