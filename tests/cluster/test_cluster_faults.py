"""Faults while real rollouts run: what each costs, and that nothing stays stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import faults, proof
from tests.cluster.controlplane import ControlPlane
from tests.cluster.faults import Browser, Cost, Span, Told, cost, most
from tests.cluster.fixtures import needs_programs
from tests.cluster.front import Front, Json
from tests.cluster.lab import ConfigEndpoint, Lab, lab
from tests.cluster.law import UNANNOUNCED
from tests.cluster.programs import wait_for
from tests.cluster.rollout import HOOKS, Rollout

pytestmark = pytest.mark.slow

_AWAY = 20.0
"""Seconds for which etcd or an API server is away."""

_UNSEEN = 1.0
"""Seconds after which Lockstep is surely cut off."""

_SILENCE = 15.5
"""Seconds after which the config endpoint must have stopped to answer, and time for a look."""

_BACK = 5.0
"""Seconds after the API server's return in which everything is as if it had not been away."""

_LINES = 60
"""What two replicas with five canaries may log in such a time, besides hooks."""

_PASSED = "Confirm-traffic-increase check"
"""What Flagger says before it raises the share."""

_TO_PRIMARY = "Routing all traffic to primary"
_RESTARTING = "New revision detected! Restarting analysis"


@dataclass(frozen=True)
class Play:
    """A fault that meets one canary, which has replicas and a front of its own.

    `above`, `idle`: for how many milliseconds the law may be broken. `again`: in how many seconds
    after the fault's end it must hold. `what` is the row's text.
    """

    what: str
    play: Callable[[Rollout, Span], None]
    replicas: int = 2
    hooks: Sequence[str] = HOOKS
    retries: int = 2
    analysis: Mapping[str, Any] = field(default_factory=dict)
    above: float = 0
    idle: float = 0
    again: float = 0


def _one_of_two(it: Rollout, span: Span) -> None:
    """Once while the number rises, and once with the announcement in its hands."""
    replicas = it.lab.replicas
    it.release()
    it.routes(25)
    span.begins()
    replicas[0].kill()
    it.gives(25)
    replicas[0].start_again()
    replicas[0].ready(replicas[0].synced)
    killed: list[str] = []

    def passing(url: str, _hook: str, payload: Json) -> None:
        if _says(payload, _TO_PRIMARY) and not killed:
            (victim,) = (replica for replica in replicas if replica.hooks_url == url)
            killed.append(url)
            victim.stall()  # so that it surely has not answered yet
            threading.Timer(0.5, victim.kill).start()

    it.lab.front.passing = passing
    it.reaches("Finalising", "Succeeded")
    span.ends()
    it.reaches("Succeeded")
    assert killed, "the announcement never came"


def _the_only_one(it: Rollout, span: Span) -> None:
    (replica,) = it.lab.replicas

    def passing(_url: str, _hook: str, payload: Json) -> None:
        if _says(payload, _PASSED) and not span.began:
            span.begins()
            replica.kill()

    it.lab.front.passing = passing
    it.release()
    it.routes(25)
    time.sleep(12)  # a check of Flagger's
    assert (it.routed, it.client_share) == (25, 0), "they went on without Lockstep"
    span.ends()
    replica.start_again()
    it.gives(25)
    it.reaches("Succeeded")


def _rolled_back_without(it: Rollout, span: Span) -> None:
    (replica,) = it.lab.replicas
    it.release()
    it.gives(25)
    span.begins()
    replica.kill()
    it.lab.front.failing.add(it.namespace)
    it.reaches("Failed")
    time.sleep(3)
    assert it.client_share == 25, "somebody else has lowered the number"
    span.ends()
    replica.start_again()
    it.gives(0)


def _absent(it: Rollout, span: Span) -> None:
    """With its gates Flagger waits, and starts nothing."""
    span.begins()
    it.release()
    it.reaches("Waiting")
    time.sleep(12)  # a check of Flagger's
    assert (it.phase, it.routed) == ("Waiting", 0), "Flagger went on without Lockstep"
    span.ends()
    it.lab.start_replica()
    it.reaches("Succeeded")


def _absent_without_gates(it: Rollout, span: Span) -> None:
    span.begins()
    it.release()
    it.reaches("Succeeded")
    assert {moment.status for moment in it.lab.front.of(it.namespace)} <= {200, 502}
    span.ends()
    it.lab.start_replica()
    time.sleep(3)


def _started_late(it: Rollout, span: Span) -> None:
    span.begins()
    it.release()
    it.routes(50)
    span.ends()
    it.lab.start_replica()
    it.gives(50)
    it.reaches("Succeeded")


def _restarted_then_promoted(it: Rollout, span: Span) -> None:
    """Both are steps down that Flagger announces."""
    span.begins()
    it.release()
    it.gives(25)
    it.release("web:3")
    it.routes(0)
    it.gives(25)
    it.reaches("Succeeded")
    span.ends()


def _duplicated(it: Rollout, span: Span) -> None:
    it.lab.front.repeats = lambda _hook, _payload: 2
    _restarted_then_promoted(it, span)


def _delayed(it: Rollout, span: Span) -> None:
    it.lab.front.delay = lambda _hook, _payload: 2.0
    _restarted_then_promoted(it, span)


def _reordered(it: Rollout, span: Span) -> None:
    """Flagger waits 5 s for an answer: what comes later comes after other hooks."""
    late = {_RESTARTING: 30.0, _TO_PRIMARY: 12.0, "Advance": 7.0}

    def delay(_hook: str, payload: Json) -> float:
        return next((seconds for text, seconds in late.items() if _says(payload, text)), 0.0)

    it.lab.front.delay = delay
    _restarted_then_promoted(it, span)
    messages = [call.message for call in it.lab.front.of(it.namespace) if call.hook == "event"]
    assert any(message.startswith(_RESTARTING) for message in messages), messages


def _says(payload: Json, text: str) -> bool:
    message = (payload.get("metadata") or {}).get("eventMessage", "")
    return bool(message.startswith(text))


_NO_GATES = ("event", "post-rollout")

PLAYS = {
    "one-of-two-killed": Play(
        "kill -9 of one replica of two, once at a raise and once with an announcement in its hands",
        _one_of_two, again=1,
    ),
    "only-one-killed": Play(
        "kill -9 of the only replica just before a raise, started 12 s after it", _the_only_one,
        replicas=1, again=5,
    ),
    "rolled-back-without": Play(
        "kill -9 of the only replica, and Flagger rolls back without it", _rolled_back_without,
        replicas=1, analysis={"threshold": 1}, above=inf, idle=inf, again=5,
    ),
    "absent": Play(
        "no replica when a rollout should start, which the gate holds until there is one", _absent,
        replicas=0, again=5,
    ),
    "absent-without-gates": Play(
        "no replica for a whole rollout without gates", _absent_without_gates,
        replicas=0, hooks=_NO_GATES, retries=0, again=5,
    ),
    "started-late": Play(
        "no replica until a rollout without gates is at 50 %", _started_late,
        replicas=0, hooks=_NO_GATES, retries=0, above=UNANNOUNCED, again=5,
    ),
    "no-event-hook": Play(
        "the event hook is missing", _restarted_then_promoted,
        hooks=[hook for hook in HOOKS if hook != "event"], above=UNANNOUNCED,
    ),
    "duplicated": Play("every hook comes three times", _duplicated),
    "delayed": Play("every hook comes 2 s late", _delayed),
    "reordered": Play(
        "announcements come 12 and 30 s late, when Flagger has long gone on, other events 7 s",
        _reordered, retries=0, above=UNANNOUNCED,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Played:
    """What each fault cost, and the errors of those that did not go as they should."""

    costs: dict[str, Cost]
    errors: dict[str, BaseException | None]


def _service_faults(folder: Path, names: Sequence[str]) -> Played:
    spans = {name: Span() for name in names}
    with lab(folder) as made, ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
        parts = {name: made.part(name, stack.enter_context(Front())) for name in names}
        for name in names:
            for _ in range(PLAYS[name].replicas):
                parts[name].start_replica()
        running = {name: pool.submit(_play, parts[name], name, spans[name]) for name in names}
        errors = {name: future.exception() for name, future in running.items()}
        for name in names:
            made.settled(name)
        scenes = {name: made.observer.of(name).ordered() for name in names}
        assert not made.observer.failure
        return Played({name: cost(scenes[name], spans[name]) for name in names}, errors)


def _play(part: Lab, name: str, span: Span) -> None:
    it = PLAYS[name]
    rollout = Rollout(part, name, analysis=it.analysis, hooks=it.hooks, retries=it.retries)
    rollout.create()
    it.play(rollout, span)


Edit = Callable[[], None]


def _restart(plane: ControlPlane, edit: Edit) -> None:
    plane.api_server.kill()
    time.sleep(_UNSEEN)
    edit()
    time.sleep(_AWAY - _UNSEEN)
    plane.api_server.start_again()
    plane.api_server.ready(plane.ready)


def _stall(plane: ControlPlane, edit: Edit) -> None:
    plane.api_server.stall()
    time.sleep(_UNSEEN)
    edit()
    time.sleep(_AWAY - _UNSEEN)
    plane.api_server.go_on()


def _stop_etcd(plane: ControlPlane, edit: Edit) -> None:
    edit()
    plane.etcd.stall()
    time.sleep(_AWAY)
    plane.etcd.go_on()


@dataclass(frozen=True)
class Outage:
    """A fault of the API server's, and a route that is edited by hand through another one.

    `happens` does both until the fault is over; `what` and `edited` are the rows' texts.
    """

    what: str
    edited: str
    happens: Callable[[ControlPlane, Edit], None]


OUTAGES = {
    "restarted": Outage(
        "kube-apiserver killed, started 20 s later", "a route edited by hand meanwhile", _restart
    ),
    "stalled": Outage(
        "kube-apiserver accepts and does not answer for 20 s",
        "a route edited by hand meanwhile", _stall,
    ),
    "etcd-stopped": Outage(
        "etcd stopped for 20 s", "a route edited by hand in the moment before", _stop_etcd
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Endured:
    """What the outages cost: ordinary rollouts, and one whose route is edited as they begin.

    `told` is what browsers are answered about that one, `lines` how much the replicas log.
    """

    ordinary: dict[str, Cost] = field(default_factory=dict)
    edited: dict[str, Cost] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def _api_faults(folder: Path) -> Endured:
    with lab(folder, aside=True) as made, ExitStack() as stack:
        for _ in range(2):
            made.start_replica()
        endpoint = ConfigEndpoint(made.plane)
        stack.callback(endpoint.stop)
        endpoint.ready(endpoint.synced)
        steady = Rollout(made, "steady", analysis={"stepWeights": [10, 20, 30, 40, 50]})
        edited = Rollout(made, "edited")
        failing = {name: Rollout(made, name, analysis={"threshold": 1}) for name in OUTAGES}
        everyone = [steady, edited, *failing.values()]
        with ThreadPoolExecutor(len(everyone)) as pool:
            list(pool.map(lambda it: it.create(), everyone))
            list(pool.map(_held, [edited, *failing.values()]))
        steady.release()
        steady.routes(10)
        url = f"{endpoint.url}/config/{edited.namespace}/canary-vars.json"
        browser = stack.enter_context(Browser(url))
        return _endure(made, steady, edited, failing, browser)


def _held(it: Rollout) -> None:
    """Bring it to its first step, and hold it there."""
    it.release()
    it.waits(lambda: it.client_share, "browsers are given its first step")
    it.annotate(hold="true")


def _endure(
    made: Lab, steady: Rollout, edited: Rollout, failing: Mapping[str, Rollout], browser: Browser
) -> Endured:
    """One outage after the other, each with a canary that is about to be rolled back."""
    spans: dict[str, Span] = {}
    endured = Endured()
    for share, (name, outage) in zip((20, 15, 10), OUTAGES.items(), strict=True):
        falling = failing[name]
        made.front.failing.add(falling.namespace)
        falling.annotate(hold=None)
        falling.waits(partial(_failed_checks, falling), "a check has failed")
        wait_for(lambda: browser.answered, "the config endpoint answers")
        spans[name] = span = Span()
        before = _lines(made)
        span.begins()
        outage.happens(made.plane, partial(edited.route_by_hand, share))
        span.ends()
        edited.gives(share)
        wait_for(lambda: browser.answered, "the config endpoint answers again")
        endured.lines[name] = _lines(made) - before
        falling.reaches("Failed")
        span.until = time.monotonic()
    edited.annotate(hold=None)
    for it in (steady, edited):
        it.reaches("Succeeded")
    for it in [steady, edited, *failing.values()]:
        made.settled(it.namespace)
    assert not made.observer.failure
    for name, span in spans.items():
        scenes = [made.observer.of(it.namespace).ordered() for it in (steady, failing[name])]
        endured.ordinary[name] = most([cost(scene, span) for scene in scenes])
        scene = made.observer.of(edited.namespace).ordered()
        endured.edited[name] = cost(scene, span)
        endured.told[name] = browser.told(scene, span)
    return endured


def _failed_checks(it: Rollout) -> int:
    return int((it._latest("Canary") or {}).get("status", {}).get("failedChecks", 0))


def _lines(made: Lab) -> int:
    """How much the replicas have logged so far, besides the one line for each hook."""
    lines = [it for replica in made.replicas for it in replica.log.read_bytes().splitlines()]
    return sum(b'"hook":' not in line for line in lines)


@dataclass(frozen=True)
class World:
    """What both labs have shown; None where none of their tests was asked for."""

    played: Future[Played] | None
    endured: Future[Endured] | None


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both at once: each mostly waits for Flagger."""
    needs_programs()
    chosen = {it.name for it in request.session.items}
    names = [name for name in PLAYS if f"test_a_fault_is_bounded[{name}]" in chosen]
    outages = any(f"[{name}]" in it for it in chosen for name in OUTAGES)
    service, api = (tmp_path_factory.mktemp(name) for name in ("service", "api"))
    with ThreadPoolExecutor(2) as pool:
        made = World(
            pool.submit(_service_faults, service, names) if names else None,
            pool.submit(_api_faults, api) if outages else None,
        )
    _write(made)
    return made


def _write(made: World) -> None:
    rows: dict[str, Cost] = {}
    if made.played and not made.played.exception():
        rows |= {PLAYS[name].what: it for name, it in made.played.result().costs.items()}
    if made.endured and not made.endured.exception():
        endured = made.endured.result()
        for name, outage in OUTAGES.items():
            rows[outage.what] = endured.ordinary[name]
            rows[f"{outage.what}; {outage.edited}"] = endured.edited[name]
        told = {OUTAGES[name].what: it for name, it in endured.told.items()}
        proof.write("faults-endpoint", faults.told(told))
    proof.write("faults", faults.table(rows))


@pytest.mark.parametrize("name", PLAYS)
def test_a_fault_is_bounded(world: World, name: str) -> None:
    assert world.played
    played = world.played.result()
    play, seen = PLAYS[name], played.costs[name]
    if error := played.errors[name]:
        raise error
    for found, bound in ((seen.above, play.above), (seen.idle, play.idle)):
        assert found.longest <= bound, seen
        assert bound or not found.revisions, seen
    assert seen.again <= play.again, seen
    assert seen.in_step, seen
    assert seen.ended in ("Succeeded", "Failed"), seen


@pytest.mark.parametrize("name", OUTAGES)
def test_an_outage_costs_an_ordinary_rollout_nothing_but_time(world: World, name: str) -> None:
    assert world.endured
    seen = world.endured.result().ordinary[name]
    assert (seen.above.revisions, seen.idle.revisions) == (0, 0), seen
    assert seen.in_step, seen


@pytest.mark.parametrize("name", OUTAGES)
def test_a_step_that_nobody_could_follow_is_followed_once_the_api_server_is_back(
    world: World, name: str
) -> None:
    assert world.endured
    endured = world.endured.result()
    assert endured.edited[name].again <= _BACK, endured.edited[name]
    assert endured.edited[name].in_step, endured.edited[name]
    assert endured.lines[name] <= _LINES


@pytest.mark.parametrize("name", OUTAGES)
def test_browsers_are_told_nothing_rather_than_an_old_number(world: World, name: str) -> None:
    assert world.endured
    told = world.endured.result().told[name]
    assert told.silent <= _SILENCE, told
    assert told.above <= _SILENCE, told
    assert told.again <= _BACK, told
