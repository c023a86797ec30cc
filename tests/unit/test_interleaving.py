"""Two replicas (or two threads) at once, in every order that their API calls can take.

A reconcile is a deterministic function of what its API calls return, so it needs no threads to
be interleaved: it is run from its start with the results it has had so far, until it makes a
call that has none yet. That call is then made, or another actor's, and so on, for every order.

Orders that led to the same state go on in the same way and are explored once. A reconcile that
looks anew has nothing left of its former looks, so its state starts over with each look; and the
objects that nobody changes here are read in one go with the call before, since it makes no
difference when they are.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from tests import world
from webhook import kinds
from webhook.cluster import Listing
from webhook.deadline import Deadline
from webhook.demo.mergepatch import merged
from webhook.errors import ConflictError, NotFoundError
from webhook.fields import Object
from webhook.kinds import Kind, Name, Selection
from webhook.reconciler import Reconciler
from webhook.task import Task
from webhook.view import Event

NOW = 1_800_000_000.0
NEVER = Deadline(float("inf"))
ERRORS = {"conflict": ConflictError, "missing": NotFoundError}
Call = tuple[Any, ...]
Objects = tuple[tuple[tuple[Kind, Name], str], ...]
Results = tuple[str, ...]


class Paused(Exception):  # noqa: N818 - no error: the reconcile waits for its next result
    def __init__(self, call: Call) -> None:
        self.call = call


@dataclass
class Replayed:
    """An API that answers with results of before, and pauses where they end."""

    results: list[str]

    def get(self, kind: Kind, name: Name, deadline: Deadline) -> Any:
        return json.loads(self._next("get", kind, name))

    def list(self, selection: Selection, deadline: Deadline) -> Listing:
        return Listing(tuple(json.loads(self._next("list", selection.kind))), "")

    def patch(self, kind: Kind, name: Name, patch: Object, deadline: Deadline) -> Any:
        return json.loads(self._next("patch", kind, name, json.dumps(patch, sort_keys=True)))

    def _next(self, *call: Any) -> str:
        if not self.results:
            raise Paused(call)
        result = self.results.pop(0)
        if result in ERRORS:
            raise ERRORS[result](result)
        return result


@cache
def next_call(task: Task, results: Results) -> Call | None:
    """The next call of a reconcile that has had these results; None once it has ended."""
    reconciler = Reconciler(Replayed(list(results)), lambda *_: None, clock=lambda: NOW)
    try:
        reconciler.reconcile(task)
    except Paused as paused:
        return paused.call
    return None


def put(objects: Objects, obj: world.Json) -> Objects:
    """The objects with one created or replaced, at its next version."""
    metadata = obj["metadata"]
    key = (KINDS[obj["kind"]], Name(metadata["namespace"], metadata["name"]))
    before = dict(objects)
    version = json.loads(before.get(key, "{}")).get("metadata", {}).get("resourceVersion", "0")
    metadata = metadata | {"resourceVersion": str(int(version) + 1)}
    text = json.dumps(obj | {"metadata": metadata}, sort_keys=True)
    return tuple((before | {key: text}).items())


KINDS = {it.kind: it for it in (kinds.CANARY, kinds.CONFIG_MAP, kinds.DEPLOYMENT, kinds.HTTP_ROUTE)}


def perform(call: Call, objects: Objects) -> tuple[str, Objects]:
    """The result of a call, and the objects after it."""
    verb, kind, *rest = call
    if verb == "list":
        found = [json.loads(text) for (of, _), text in objects if of == kind]
        return json.dumps(found), objects
    text = dict(objects).get((kind, rest[0]), "missing")
    if verb == "get":
        return text, objects
    before, patch = json.loads(text), json.loads(rest[1])
    if patch["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
        return "conflict", objects
    after = put(objects, merged(before, patch))
    return dict(after)[kind, rest[0]], after


@dataclass(frozen=True)
class Move:
    """Something Flagger does, once `allowed`, which is asked with the actors that have ended."""

    obj: world.Json
    allowed: Callable[[set[str]], bool] = lambda _ended: True


@dataclass(frozen=True)
class State:
    """How far everybody has come; `newest` is the share in the newest look at the router."""

    objects: Objects
    results: tuple[Results, ...]
    moved: int = 0
    newest: int = -1

    def routed(self) -> int:
        route = json.loads(dict(self.objects)[kinds.HTTP_ROUTE, world.WEB])
        backends = route["spec"]["rules"][0]["backendRefs"]
        return next(int(it["weight"]) for it in backends if it["name"] == "web-canary")

    def clients(self) -> set[int]:
        found = [json.loads(text) for (kind, _), text in self.objects if kind == kinds.CONFIG_MAP]
        return {int(it["data"]["CANARY_PERCENTAGE"]) for it in found}


@dataclass(frozen=True)
class Play:
    """Who acts: reconciles, and Flagger with its moves in their order."""

    tasks: dict[str, Task]
    moves: Sequence[Move]

    def ended(self, state: State) -> set[str]:
        actors = zip(self.tasks.items(), state.results, strict=True)
        return {name for (name, task), results in actors if next_call(task, results) is None}

    def successors(self, state: State) -> list[State]:
        ended = self.ended(state)
        found = [
            self._step(state, number, task)
            for number, (name, task) in enumerate(self.tasks.items())
            if name not in ended
        ]
        if state.moved < len(self.moves) and self.moves[state.moved].allowed(ended):
            objects = put(state.objects, self.moves[state.moved].obj)
            found.append(replace(state, objects=objects, moved=state.moved + 1))
        return found

    def _step(self, state: State, number: int, task: Task) -> State:
        call = next_call(task, state.results[number])
        assert call
        result, objects = perform(call, state.objects)
        results = list(state.results)
        results[number] += (result,)
        newest = state.routed() if call[1] == kinds.HTTP_ROUTE else state.newest
        following = next_call(task, results[number])
        if following == next_call(task, ()):
            results[number] = ()
        state = State(objects, tuple(results), state.moved, newest)
        unchanging = following and following[1] in (kinds.CANARY, kinds.DEPLOYMENT)
        return self._step(state, number, task) if unchanging else state


Check = Callable[[Play, State], None]


def explore(play: Play, start: Objects, always: Check, at_the_end: Check) -> int:
    """Check every order; returns how many states there were."""
    todo = [State(start, ((),) * len(play.tasks))]
    seen = set(todo)
    while todo:
        state = todo.pop()
        always(play, state)
        successors = play.successors(state)
        if not successors:
            at_the_end(play, state)
        todo.extend(set(successors) - seen)
        seen.update(successors)
    return len(seen)


def start(routed: int, *targets: world.Json, phase: str = "Progressing") -> Objects:
    objects: Objects = ()
    for obj in (world.canary(phase), world.deployment(), world.route(routed), *targets):
        objects = put(objects, obj)
    return objects


def watch(name: str, *known: Name) -> Task:
    """A reconcile that reads the targets it knows by name, else whichever have the label."""
    return Task(world.WEB, name, NEVER, known=frozenset(known))


def announcement(at: float = NOW) -> Task:
    return Task(world.WEB, "event", NEVER, Event("Routing all traffic to primary", at))


def nothing(_play: Play, _state: State) -> None:
    """No invariant in between."""


def clients_have_what_was_read_last(_play: Play, state: State) -> None:
    """The newest look at the router decides, whoever took it."""
    assert state.clients() == {state.newest}


MORE = Name("test", "more-vars")
TWO = (world.variables(25), world.variables(25, MORE))
TARGETS = pytest.mark.parametrize("targets", [TWO[:1], TWO], ids=["one target", "two targets"])
MOVES = {
    "a raise": [50],
    "a step down": [0],
    "up and down again": [50, 0],
    "down and up again": [0, 50],
}


@TARGETS
@pytest.mark.parametrize("moves", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("by_name", [0, 1, 2], ids=["by label", "by label and by name", "by name"])
def test_two_reconciles_leave_no_older_number_standing(
    targets: tuple[world.Json, ...], moves: list[int], by_name: int
) -> None:
    known = [Name(world.NAMESPACE, it["metadata"]["name"]) for it in targets]
    tasks = {name: watch(name, *known[: len(known) * (by_name > number)])
             for number, name in enumerate("ab")}  # fmt: skip
    play = Play(tasks, [Move(world.route(share)) for share in moves])
    states = explore(play, start(25, *targets), nothing, clients_have_what_was_read_last)
    assert states > 20


def never_above_0_once_answered(play: Play, state: State) -> None:
    """What Flagger was answered holds until it has moved its router, and after that."""
    if "event" in play.ended(state):
        assert state.clients() == {0}


@pytest.mark.parametrize(
    "targets",
    [TWO[:1], TWO, (world.variables(0),)],
    ids=["one target", "two targets", "a target that is still at 0"],
)
@pytest.mark.parametrize(
    "other",
    [
        watch("b"),
        watch("b", world.VARS),
        watch("b", MORE),
        watch("b", world.VARS, MORE),
        announcement(NOW + 1),
        announcement(),
    ],
    ids=[
        "a watch event",
        "a watch event that knows the one target",
        "a watch event that knows the other target",
        "a watch event that knows both targets",
        "a newer announcement",
        "the same announcement to another replica",
    ],
)
def test_no_reconcile_raises_after_an_announcement_was_answered(
    targets: tuple[world.Json, ...], other: Task
) -> None:
    """The router routes 50 while the targets still have less: whoever saw that wants to raise."""
    play = Play(
        {"event": announcement(), "b": other},
        [Move(world.route(0), allowed=lambda ended: "event" in ended)],
    )
    begin = start(50, *targets, phase="Promoting")
    states = explore(play, begin, never_above_0_once_answered, nothing)
    assert states > 20
