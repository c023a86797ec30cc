"""How long after the router the number for browsers follows, beside the bare floor, in one run."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

import pytest

from tests.cluster import floor, kinds, proof
from tests.cluster.client import Client, Json
from tests.cluster.controlplane import ADMIN, ControlPlane, control_plane
from tests.cluster.fixtures import needs_programs
from tests.cluster.lab import ROOT, Replica, application
from tests.cluster.law import labelled, share
from tests.cluster.observer import Observer, Revision, routed
from tests.cluster.programs import Process
from tests.cluster.rollout import NAME

pytestmark = pytest.mark.slow

_CANARIES = [f"canary-{number}" for number in range(24)]
"""Namespaces with one canary each."""

_SHARES = (0, 1, 10, 25, 50, 80, 100)
_PAUSE = (0.5, 2.5)
"""Seconds between two moves of one canary, at random so that they meet no rhythm of anybody's."""

_SETTLE = 2.0
_MOVES, _MOVES_ALONE = 14, 8
_GOAL_RATIO, _GOAL_P99 = 1.5, 250.0
_MOST_RATIO = 8.0
"""Measured side by side: 3.8 to 4.1. Above the goal, which is told and not asserted: see
docs/adr/0015-a-watch-reads-by-name.md."""

_FOLLOWED = 0.95


@dataclass(frozen=True)
class Spread:
    """Milliseconds from the router's revision to that of the ConfigMap which follows it."""

    times: tuple[float, ...]

    @property
    def p50(self) -> float:
        return median(self.times)

    @property
    def p99(self) -> float:
        return quantiles(self.times, n=100, method="inclusive")[98]

    def __str__(self) -> str:
        return f"{self.p50:.1f} / {self.p99:.1f} / {max(self.times):.1f} ms ({len(self.times)})"


@dataclass
class Track:
    """24 canaries in the midst of a rollout, whose routers the test moves."""

    plane: ControlPlane
    client: Client
    observer: Observer
    chance: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311 - no secret
    now: dict[str, int] = field(default_factory=dict)

    def lay(self) -> None:
        """Make what application owners and Flagger would have made by then."""
        for namespace in _CANARIES:
            for obj in application(namespace):
                self.client.apply(obj)
            self.client.create(floor.target(namespace, 100))
            self.client.create(_deployment(namespace))
            self.client.create(_route(namespace, 0))
            canary = self.client.create(_canary(namespace))
            self.client.patch(canary, {"status": {"phase": "Progressing"}}, sub="status")
            self.now[namespace] = 0

    def met_by_floor(self) -> bool:
        """Whether the floor has caught up with every router."""
        shares = [self.observer.of(it).latest["ConfigMap", floor.NAME] for it in _CANARIES]
        return [share(it) for it in shares] == [self.now[it] for it in _CANARIES]

    def move(self, moves: int) -> int:
        """Give every canary that many steps of its router; returns the revision before them."""
        before = self.client.version()
        due = sorted(it for namespace in _CANARIES for it in self._times(namespace, moves))
        start = time.monotonic()
        for at, namespace in due:
            time.sleep(max(0.0, start + at - time.monotonic()))
            self._step(namespace)
        time.sleep(_SETTLE)
        return before

    def _times(self, namespace: str, moves: int) -> Iterator[tuple[float, str]]:
        at = 0.0
        for _ in range(moves):
            at += self.chance.uniform(*_PAUSE)
            yield at, namespace

    def _step(self, namespace: str) -> None:
        choice = [it for it in _SHARES if it != self.now[namespace]]
        self.now[namespace] = self.chance.choice(choice)
        route = _route(namespace, self.now[namespace])
        self.client.patch(route, {"spec": route["spec"]})

    def followed(self, since: int, *, by_floor: bool) -> Spread:
        """How long each step after a revision took."""
        scenes = (self.observer.of(namespace).ordered() for namespace in _CANARIES)
        times = (ms for it in scenes for ms in _followed(it, since, by_floor=by_floor))
        return Spread(tuple(times))


def _followed(revisions: Sequence[Revision], since: int, *, by_floor: bool) -> Iterator[float]:
    """Milliseconds for each step that the next one did not overtake."""
    steps = [it for it in revisions if it.kind == "HTTPRoute"]
    end = Revision(sys.maxsize, 0.0, "", {})
    for step, later in pairwise([*steps, end]):
        if step.rv <= since:
            continue
        wanted = routed(step.object)
        for it in revisions:
            if (
                step.rv < it.rv < later.rv
                and _is_target(it, by_floor)
                and share(it.object) == wanted
            ):
                yield (it.at - step.at) * 1000
                break


def _is_target(it: Revision, by_floor: bool) -> bool:
    if it.kind != "ConfigMap":
        return False
    return it.name == floor.NAME if by_floor else labelled(it.object)


def _deployment(namespace: str) -> Json:
    labels = {"app": NAME}
    pod = {"containers": [{"name": "web", "image": "web:2"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _route(namespace: str, share: int) -> Json:
    weights = {f"{NAME}-primary": 100 - share, f"{NAME}-canary": share}
    backends = [{"name": name, "port": 80, "weight": it} for name, it in weights.items()]
    api_version, kind = floor.ROUTES
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"hostnames": [f"{namespace}.test"], "rules": [{"backendRefs": backends}]},
    }


def _canary(namespace: str) -> Json:
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "service": {"port": 80},
            "analysis": {"interval": "10s", "threshold": 3, "stepWeight": 25, "maxWeight": 50},
        },
    }


@contextmanager
def _floor(track: Track) -> Iterator[None]:
    """The floor as a process, at work."""
    plane = track.plane
    where = json.dumps([plane.url, plane.ca, ADMIN])
    environment = {"FLOOR": where, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.cluster.floor"]
    process = Process("floor", command, plane.folder / "floor.log", environment)
    try:
        process.ready(track.met_by_floor)
        yield
        process.check()
    finally:
        process.stop()


@contextmanager
def _track(folder: Path) -> Iterator[tuple[Track, Replica]]:
    """Without Flagger, whose moves are few and far between."""
    with ExitStack() as stack:
        plane = stack.enter_context(control_plane(folder))
        client = plane.client()
        kinds.install(client)
        plane.kubectl("apply", "-k", str(ROOT / "manifests" / "base"))
        observer = stack.enter_context(Observer(client))
        track = Track(plane, client, observer)
        track.lay()
        replica = Replica(plane, "lockstep")
        stack.callback(replica.stop)
        replica.ready(replica.synced)
        yield track, replica


@dataclass(frozen=True)
class Measured:
    """Side by side on the same steps, and then each by itself."""

    lockstep: Spread
    floor: Spread
    lockstep_alone: Spread
    floor_alone: Spread

    @property
    def ratio(self) -> float:
        return self.lockstep.p50 / self.floor.p50

    @property
    def ratio_alone(self) -> float:
        return self.lockstep_alone.p50 / self.floor_alone.p50

    def table(self) -> str:
        """Markdown; how many steps there were in parentheses."""
        ratio = f"{self.ratio:.1f}; each by itself {self.ratio_alone:.1f}"
        rows = {
            "Lockstep, beside the floor": str(self.lockstep),
            "the floor, beside Lockstep": str(self.floor),
            "Lockstep by itself": str(self.lockstep_alone),
            "the floor by itself": str(self.floor_alone),
            "times the floor at p50": f"{ratio} (goal {_GOAL_RATIO}: {_told(self._near)})",
            "p99": f"goal {_GOAL_P99:.0f} ms: {_told(self.lockstep.p99 < _GOAL_P99)}",
        }
        return proof.rows(rows, ("from router to ConfigMap", "p50 / p99 / longest (steps)"))

    @property
    def _near(self) -> bool:
        return max(self.ratio, self.ratio_alone) <= _GOAL_RATIO


def _told(reached: bool) -> str:
    return "reached" if reached else "not reached"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    needs_programs()
    with _track(tmp_path_factory.mktemp("latency")) as (track, replica):
        with _floor(track):
            since = track.move(_MOVES)
        lockstep = track.followed(since, by_floor=False)
        floors = track.followed(since, by_floor=True)
        alone = track.followed(track.move(_MOVES_ALONE), by_floor=False)
        replica.stop()
        with _floor(track):
            floor_alone = track.followed(track.move(_MOVES_ALONE), by_floor=True)
        assert not track.observer.failure
    found = Measured(lockstep, floors, alone, floor_alone)
    proof.write("latency", found.table())
    return found


def test_every_step_is_followed(measured: Measured) -> None:
    """But those that the next one overtook, on a machine that had other things to do."""
    steps = len(_CANARIES) * _MOVES
    assert len(measured.lockstep.times) >= _FOLLOWED * steps, measured
    assert len(measured.lockstep_alone.times) >= _FOLLOWED * len(_CANARIES) * _MOVES_ALONE, measured


def test_lockstep_keeps_near_the_floor(measured: Measured) -> None:
    """Four reads and a write, where the floor has a write; on the same steps, in the same noise."""
    assert measured.ratio <= _MOST_RATIO, measured


def test_hardly_a_step_takes_a_quarter_of_a_second(measured: Measured) -> None:
    """Unless the machine is so slow that one write alone takes long."""
    allowed = max(_GOAL_P99, _MOST_RATIO * measured.floor.p99)
    assert measured.lockstep.p99 < allowed, measured
