"""What a hook does besides answering: read, write, read back, wait, and break the glass."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import world
from tests.service.conftest import Lab, MakeLab, event
from tests.waiting import wait_for
from webhook import kinds
from webhook.deadline import Deadline
from webhook.demo.store import Store
from webhook.fields import Object
from webhook.gates import Hook
from webhook.kinds import Kind, Name, Selection
from webhook.reconciler import Reconciler
from webhook.targets import CEILING, LABEL
from webhook.task import Task

TO_PRIMARY = "Routing all traffic to primary"
ROLLBACK = {"lockstep/rollback": "true"}


@contextmanager
def flux(store: Store, delay: float = 0.1) -> Iterator[None]:
    """Renders the variable into the settings as kustomize-controller does, `delay` s later."""
    stop = threading.Event()

    def render() -> None:
        seen = world.client_share(store)
        while not stop.wait(0.005):
            share = world.client_share(store)
            if share != seen and not stop.wait(delay):
                text = json.dumps({"FEATURE_FLAGS": {}, "CANARY_PERCENTAGE": share})
                store.patch(kinds.CONFIG_MAP, world.SETTINGS, {"data": {"config.json": text}})
                seen = share

    thread = threading.Thread(target=render)
    thread.start()
    yield
    stop.set()
    thread.join()


def promoting(share: int = 50, *targets: world.Json) -> Store:
    store = world.rollout(share, *targets)
    store.put(world.canary("Promoting"))
    return store


def test_a_share_rises_once_the_router_shows_it(make_lab: MakeLab) -> None:
    lab = make_lab(world.rollout(50, world.variables(25)))
    response = lab.hook("event", event("Advance web.test canary weight 50"))
    assert (response.status_code, lab.share()) == (200, 50)


def test_a_share_falls_before_flagger_routes_back(make_lab: MakeLab) -> None:
    lab = make_lab(promoting(50, world.variables(50)))
    response = lab.hook("event", event(TO_PRIMARY))
    assert (response.status_code, lab.share()) == (200, 0)
    assert lab.metric("lockstep_ceiling", canary="web") == 0
    ceiling = json.loads(annotations(lab)[CEILING])
    assert ceiling["value"] == 0

    refused = lab.hook("confirm-traffic-increase")
    assert refused.json
    assert (refused.status_code, refused.json["reason"]) == (403, "CeilingInForce")

    lab.store.put(world.route(0))
    assert lab.hook("confirm-traffic-increase").status_code == 200
    assert CEILING not in annotations(lab)
    assert lab.metric("lockstep_ceiling", canary="web") is None


def annotations(lab: Lab) -> dict[str, str]:
    obj: Any = lab.store.get(kinds.CONFIG_MAP, world.VARS)
    return dict(obj["metadata"]["annotations"])


def test_a_repeated_announcement_writes_nothing_more(make_lab: MakeLab) -> None:
    lab = make_lab(promoting(50, world.variables(50)))
    announcement = event(TO_PRIMARY)
    for _ in range(3):
        assert lab.hook("event", announcement).status_code == 200
    assert lab.writes() == 1


def test_every_hook_syncs(make_lab: MakeLab) -> None:
    for hook in Hook:
        lab = make_lab(world.rollout(10, world.variables(25)))
        lab.hook(hook, event("whatever"))
        assert lab.share() == 10, hook


def test_the_release_is_written_with_the_first_raise(make_lab: MakeLab) -> None:
    target = world.variables(0)
    target["data"]["CANARY_RELEASE"] = "none"
    lab = make_lab(world.rollout(25, target))
    lab.hook("event", event("Advance"))
    data = lab.store.get(kinds.CONFIG_MAP, world.VARS)["data"]
    assert data == {"CANARY_PERCENTAGE": "25", "CANARY_RELEASE": "abc123"}


def test_a_gate_waits_for_flux_to_render_a_raise(make_lab: MakeLab) -> None:
    lab = make_lab(world.rollout(50, world.variables(25), world.settings(25)))
    with flux(lab.store):
        response = lab.hook("confirm-traffic-increase")
    assert response.status_code == 200
    assert lab.share(world.SETTINGS) == 50


def test_a_gate_refuses_what_flux_does_not_render_in_time(make_lab: MakeLab) -> None:
    store = world.rollout(50, world.variables(25), world.settings(25))
    lab = make_lab(store, hook_deadline=1.0)
    response = lab.hook("confirm-traffic-increase")
    assert response.json
    assert (response.status_code, response.json["reason"]) == (403, "OutOfStep")
    assert "ConfigMap test/canary-settings has 25 %" in response.json["message"]


def test_an_event_does_not_wait_for_a_raise_to_be_rendered(make_lab: MakeLab) -> None:
    lab = make_lab(world.rollout(50, world.variables(25), world.settings(25)))
    assert lab.hook("event", event("Advance")).status_code == 200
    # A wait would be for the whole of its deadline, 3 s.
    assert (lab.metric("lockstep_hook_seconds_sum", hook="event") or 9) < 1.5


def test_a_lowering_is_read_back_from_flux_before_the_answer(make_lab: MakeLab) -> None:
    lab = make_lab(promoting(50, world.variables(50), world.settings(50)))
    with flux(lab.store):
        response = lab.hook("event", event(TO_PRIMARY))
    assert response.status_code == 200
    assert lab.share(world.SETTINGS) == 0
    assert lab.metric("lockstep_writes_total", mode="verify") == 0


def test_a_lowering_that_flux_does_not_render_breaks_the_glass(make_lab: MakeLab) -> None:
    store = promoting(50, world.variables(50), world.settings(50))
    lab = make_lab(store, flux_patience=0.3)
    response = lab.hook("event", event(TO_PRIMARY))
    assert response.status_code == 200
    assert lab.share(world.SETTINGS) == 0
    assert lab.metric("lockstep_writes_total", mode="verify", result="ok") == 1
    text = lab.store.get(kinds.CONFIG_MAP, world.SETTINGS)["data"]
    assert isinstance(text, dict)
    assert json.loads(text["config.json"])["FEATURE_FLAGS"] == {"dark": True}


def test_a_raise_never_breaks_the_glass(make_lab: MakeLab) -> None:
    store = world.rollout(50, world.variables(25), world.settings(25))
    lab = make_lab(store, flux_patience=0.1, hook_deadline=1.0)
    assert lab.hook("confirm-promotion").status_code == 403
    assert lab.share(world.SETTINGS) == 25


def test_an_event_that_cannot_lower_in_time_is_no_success(make_lab: MakeLab) -> None:
    store = promoting(50, world.variables(50), world.settings(50))
    lab = make_lab(store, flux_patience=2.0, hook_deadline=1.0)
    response = lab.hook("event", event(TO_PRIMARY))
    assert response.json
    assert (response.status_code, response.json["reason"]) == (503, "DeadlineExceeded")
    assert "canary-settings still has 50 %" in response.json["message"]


def test_a_gate_waits_for_the_gateway_to_accept_the_route(make_lab: MakeLab) -> None:
    def routed(observed: int) -> world.Json:
        accepted = {"type": "Accepted", "status": "True", "observedGeneration": observed}
        route = world.route(50)
        route["metadata"]["generation"] = 2
        return route | {"status": {"parents": [{"conditions": [accepted]}]}}

    lab = make_lab(world.rollout(50, world.variables(25)), hook_deadline=1.0)
    lab.store.put(routed(observed=1))
    refused = lab.hook("confirm-traffic-increase")
    assert refused.json
    assert (refused.status_code, refused.json["reason"]) == (403, "RouterUnsettled")
    assert lab.share() == 25

    timer = threading.Timer(0.1, lambda: lab.store.put(routed(observed=2)))
    timer.start()
    assert lab.hook("confirm-traffic-increase").status_code == 200
    assert lab.share() == 50
    timer.join()


def test_a_conflict_is_tried_again_from_a_new_view(make_lab: MakeLab) -> None:
    """Somebody else writes the ConfigMap again and again while the hook reads the router."""
    lab = make_lab(world.rollout(50, world.variables(25)))
    lab.api.delay(0.05, "get", "httproutes")

    def disturb() -> None:
        for number in range(15):
            lab.store.patch(kinds.CONFIG_MAP, world.VARS, {"data": {"OTHER": str(number)}})
            time.sleep(0.02)

    thread = threading.Thread(target=disturb)
    thread.start()
    response = lab.hook("event", event("Advance"))
    thread.join()
    assert (response.status_code, lab.share()) == (200, 50)
    assert (lab.metric("lockstep_writes_total", result="conflict") or 0) > 1


def test_two_replicas_share_one_write(make_lab: MakeLab) -> None:
    lab = make_lab(promoting(50, world.variables(50)))
    announcement = event(TO_PRIMARY)
    answers: list[int] = []
    hooks = [
        threading.Thread(target=lambda: answers.append(lab.hook("event", announcement).status_code))
        for _ in range(8)
    ]
    for thread in hooks:
        thread.start()
    for thread in hooks:
        thread.join()
    assert answers == [200] * 8
    assert lab.share() == 0
    assert lab.writes() == 1


def test_a_rollback_is_asked_for_by_annotation(make_lab: MakeLab) -> None:
    lab = make_lab()
    assert lab.hook("rollback").status_code == 403
    lab.store.put(world.canary(annotations=ROLLBACK))
    assert lab.hook("rollback").status_code == 200
    assert lab.hook("confirm-rollout").json == {
        "approved": False,
        "reason": "RollbackRequested",
        "message": "annotation lockstep/rollback on the Canary is true; "
        "remove it before a new rollout",
    }


OBSERVED: list[tuple[str, Callable[[Lab], object]]] = [
    ("out of step", lambda _lab: None),
    ("hold", lambda lab: lab.store.put(world.canary(annotations={"lockstep/hold": "true"}))),
    ("rollback", lambda lab: lab.store.put(world.canary(annotations=ROLLBACK))),
    ("no targets", lambda lab: lab.store.delete(kinds.CONFIG_MAP, world.VARS)),
    ("no Canary", lambda lab: lab.store.delete(kinds.CANARY, world.WEB)),
    ("forbidden", lambda lab: lab.api.deny("list", "configmaps")),
]  # fmt: skip


@pytest.mark.parametrize("arrange", [it[1] for it in OBSERVED], ids=[it[0] for it in OBSERVED])
def test_observe_mode_writes_nothing_and_refuses_nothing_but_a_rollback(
    make_lab: MakeLab, arrange: Callable[[Lab], object]
) -> None:
    lab = make_lab(promoting(50, world.variables(25), world.settings(90)), observe=True, start=True)
    arrange(lab)
    for hook in Hook:
        expected = 403 if hook is Hook.ROLLBACK else 200
        assert lab.hook(hook, event(TO_PRIMARY)).status_code == expected, hook
    assert lab.writes() == 0
    assert lab.told() == []


def test_observe_mode_tells_once_what_the_watch_would_write(make_lab: MakeLab) -> None:
    lab = make_lab(world.rollout(0), observe=True, start=True)

    def told() -> list[tuple[object, object]]:
        lines = lab.lines.having(trigger="watch", configmap="canary-vars")
        return [(line["before"], line["after"]) for line in lines]

    for routed in (25, 50, 0, 25):
        lab.store.put(world.route(routed))
        wait_for(lambda: lab.metric("lockstep_routed_share") == routed)  # noqa: B023
        lab.store.put(world.canary())  # Flagger's next status: nothing new about the share
    assert told() == [(0, 25), (0, 50), (0, 25)]
    assert lab.writes() == 0


class Spy:
    """A cluster that notes what is asked of it; not a mock: it asks the real one."""

    def __init__(self, lab: Lab) -> None:
        self._cluster = lab.cluster
        self.calls: list[str] = []

    def get(self, kind: Kind, name: Name, deadline: Deadline) -> Object:
        self.calls.append(f"get {kind}")
        return self._cluster.get(kind, name, deadline)

    def list(self, selection: Selection, deadline: Deadline) -> Any:
        self.calls.append(f"list {selection.kind}")
        return self._cluster.list(selection, deadline)

    def patch(self, kind: Kind, name: Name, patch: Object, deadline: Deadline) -> Object:
        self.calls.append(f"patch {kind}")
        return self._cluster.patch(kind, name, patch, deadline)


LOOK = ["get Canary", "get Deployment", "get HTTPRoute"]


@pytest.mark.parametrize(
    ("known", "first"), [((), "list ConfigMap"), ((world.VARS,), "get ConfigMap")]
)
def test_a_raise_is_followed_by_one_more_look_at_everything(
    make_lab: MakeLab, known: tuple[Name, ...], first: str
) -> None:
    lab = make_lab(world.rollout(50, world.variables(25)))
    spy = Spy(lab)
    task = Task(world.WEB, "watch", Deadline.after(3), known=frozenset(known))
    Reconciler(spy, lambda *_: None).reconcile(task)
    assert spy.calls == [first, *LOOK, "patch ConfigMap", first, *LOOK]


def test_a_known_target_that_is_gone_or_another_canarys_is_let_be(make_lab: MakeLab) -> None:
    other, gone = Name(world.NAMESPACE, "other-vars"), Name(world.NAMESPACE, "gone-vars")
    target = world.variables(0, other)
    target["metadata"]["labels"][LABEL] = "another"
    lab = make_lab(world.rollout(50, world.variables(25), target))
    task = Task(world.WEB, "watch", Deadline.after(3), known=frozenset((world.VARS, other, gone)))
    outcome = Reconciler(lab.cluster, lambda *_: None).reconcile(task)
    assert [it.name for it in outcome.view.targets] == [world.VARS]
    assert (lab.share(), lab.share(other)) == (50, 0)
