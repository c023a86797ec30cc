"""What somebody who may only post a hook, or only rules a namespace of his own, can do."""

import copy
from threading import Thread
from typing import Any

import pytest

from tests import world
from tests.service.conftest import PAYLOAD, Lab, MakeLab, event
from tests.waiting import wait_for
from webhook.gates import Hook
from webhook.kinds import Name

FORGED = [
    "Routing all traffic to primary",
    "Rolling back web.test failed checks",
    "New revision detected! Restarting analysis for web.test",
    "Advance web.test canary weight 100",
    "Promotion completed! Scaling down web.test",
]
PHASES = ["Progressing", "Promoting", "Succeeded", "Failed", "", "Nonsense"]
EVIL = "evil"


def shares(lab: Lab) -> set[int]:
    """Every number that was ever stored."""
    data: list[Any] = [it.object.get("data") for it in lab.store.history() if it.object]
    return {int(it["CANARY_PERCENTAGE"]) for it in data if it and "CANARY_PERCENTAGE" in it}


@pytest.mark.parametrize("message", FORGED)
def test_a_forged_event_can_lower_the_number_but_never_raise_it(
    make_lab: MakeLab, message: str
) -> None:
    lab = make_lab()
    for phase in PHASES:
        lab.hook("event", event(message) | {"phase": phase})
    assert max(shares(lab)) <= 25


@pytest.mark.parametrize("hook", [it for it in Hook if it is not Hook.EVENT])
@pytest.mark.parametrize("phase", PHASES)
def test_a_forged_hook_changes_nothing_at_all(make_lab: MakeLab, hook: Hook, phase: str) -> None:
    """Its body is a claim; what is done follows from the cluster alone."""
    lab = make_lab()
    lab.hook(hook, PAYLOAD | {"phase": phase, "checksum": "forged"})
    assert lab.writes() == 0


STATES: list[dict[str, str]] = [{}, {"lockstep/hold": "true"}, {"lockstep/rollback": "true"}]


def answers(lab: Lab) -> dict[Hook, tuple[int, str]]:
    """What Flagger is told at the gates that it waits for, and when it asks for a rollback."""
    asked = [it for it in Hook if it.startswith("confirm") or it is Hook.ROLLBACK]
    told = {hook: lab.hook(hook) for hook in asked}
    return {hook: (it.status_code, (it.json or {})["reason"]) for hook, it in told.items()}


@pytest.mark.parametrize("brakes", STATES, ids=str)
def test_a_forged_hook_changes_no_answer_of_flaggers(
    make_lab: MakeLab, brakes: dict[str, str]
) -> None:
    store = world.rollout()
    store.put(world.canary(annotations=brakes))
    lab = make_lab(store)
    before = answers(lab)
    for phase in PHASES:
        for hook in (it for it in Hook if it is not Hook.EVENT):
            lab.hook(hook, PAYLOAD | {"phase": phase, "checksum": "forged"})
    assert answers(lab) == before


@pytest.mark.parametrize("message", FORGED)
def test_a_forged_event_opens_no_gate_and_rolls_nothing_back(
    make_lab: MakeLab, message: str
) -> None:
    store = world.rollout()
    store.put(world.canary(annotations={"lockstep/hold": "true"}))
    lab = make_lab(store)
    for phase in PHASES:
        lab.hook("event", event(message) | {"phase": phase})
        assert {code for code, _ in answers(lab).values()} == {403}


def of_the_tenant(obj: dict[str, Any]) -> dict[str, Any]:
    """The same object in the tenant's own namespace."""
    moved = copy.deepcopy(obj)
    moved["metadata"] |= {"namespace": EVIL, "uid": "u-evil"}
    return moved


def test_a_tenants_canary_of_the_same_name_moves_only_his_own_number(make_lab: MakeLab) -> None:
    store = world.rollout()
    for obj in (world.canary(), world.deployment(), world.route(100), world.variables(0)):
        store.put(of_the_tenant(obj))
    lab = make_lab(store, start=True)
    wait_for(lambda: world.client_share(store, Name(EVIL, "canary-vars")) == 100)
    assert lab.share() == 25


def test_a_tenants_label_gets_him_nothing_of_another_namespaces_canary(make_lab: MakeLab) -> None:
    store = world.rollout()
    store.put(of_the_tenant(world.variables(50)))
    lab = make_lab(store, start=True)
    wait_for(lambda: world.client_share(store, Name(EVIL, "canary-vars")) == 0)
    assert (lab.hook("confirm-traffic-increase").json or {})["reason"] == "InStep"


def test_a_tenants_brakes_are_his_own(make_lab: MakeLab) -> None:
    store = world.rollout()
    store.put(
        of_the_tenant(world.canary(annotations={"lockstep/cap": "0", "lockstep/hold": "true"}))
    )
    lab = make_lab(store, start=True)
    assert lab.hook("confirm-traffic-increase").status_code == 200
    assert lab.share() == 25


def test_a_tenants_router_that_is_slow_keeps_no_announcement_of_others(make_lab: MakeLab) -> None:
    store = world.rollout()
    spec = {"provider": "nginx", "ingressRef": {"name": "web"}}
    canary = of_the_tenant(world.canary())
    store.put(canary | {"spec": canary["spec"] | spec})
    store.put(of_the_tenant(world.variables(0)))
    lab = make_lab(store, start=True, hook_deadline=6)
    lab.api.delay(10, "get", "ingresses")
    clients = [lab.client.application.test_client() for _ in range(8)]
    asked = {"json": PAYLOAD | {"namespace": EVIL}}
    his = [Thread(target=it.post, args=("/confirm-promotion",), kwargs=asked) for it in clients]
    for thread in his:
        thread.start()
    assert lab.hook("event", event(FORGED[0]) | {"phase": "Promoting"}).status_code == 200
    assert all(thread.is_alive() for thread in his), "they still wait for his router"
    for thread in his:
        thread.join()
