"""What makes Lockstep answer as it was recorded is read off the recording."""

import pytest

from webhook import canary as canaries
from webhook import kinds, targets
from webhook.canary import Brakes, MeshDefaults
from webhook.demo.objects import Json
from webhook.demo.operator import Operator, layout
from webhook.demo.recording import HookRow
from webhook.demo.store import Store
from webhook.fields import find
from webhook.gates import Hook
from webhook.kinds import Name
from webhook.targets import BrokenTarget, Target

WEB = Name("test", "web")
CANARY: Json = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"namespace": "test", "name": "web", "annotations": {"team": "shop"}},
    "spec": {"targetRef": {"kind": "Deployment", "name": "web"}},
}


def row(hook: Hook, answer: int) -> HookRow:
    return HookRow(1, 0.0, hook, {"namespace": "test", "name": "web"}, answer)


class People:
    def __init__(self, *, as_json: bool = False) -> None:
        self.store = Store()
        target = layout(WEB, as_json=as_json)
        target.create(self.store)
        self.config_map = target.name
        self.store.put(CANARY)
        self.operator = Operator(self.store, WEB, target)

    def before(self, *rows: tuple[Hook, int]) -> "People":
        for hook, answer in rows:
            self.operator.prepare(row(hook, answer))
        return self

    @property
    def brakes(self) -> Brakes:
        return canaries.parse(self.store.get(kinds.CANARY, WEB), MeshDefaults()).brakes

    @property
    def target(self) -> Target | BrokenTarget:
        return targets.parse(self.store.get(kinds.CONFIG_MAP, self.config_map))


CONFIRMS = [Hook.CONFIRM_ROLLOUT, Hook.CONFIRM_TRAFFIC_INCREASE, Hook.CONFIRM_PROMOTION]


@pytest.mark.parametrize("gate", CONFIRMS)
def test_a_gate_that_refused_is_held_until_it_approved(gate: Hook) -> None:
    people = People()
    assert people.before((gate, 403)).brakes.hold
    assert people.before((Hook.ROLLBACK, 403), (Hook.EVENT, 200)).brakes.hold
    assert not people.before((gate, 200)).brakes.hold


def test_a_hold_may_come_between_two_gates() -> None:
    people = People().before((Hook.CONFIRM_TRAFFIC_INCREASE, 200))
    assert not people.brakes.hold
    assert people.before((Hook.CONFIRM_PROMOTION, 403)).brakes.hold


def test_a_rollback_is_asked_for_and_taken_back_before_the_next_rollout() -> None:
    people = People().before((Hook.ROLLBACK, 403))
    assert not people.brakes.rollback
    assert people.before((Hook.ROLLBACK, 200), (Hook.POST_ROLLOUT, 200)).brakes.rollback
    assert not people.before((Hook.CONFIRM_ROLLOUT, 200)).brakes.rollback


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("repairing", [*CONFIRMS, Hook.PRE_ROLLOUT, Hook.POST_ROLLOUT])
def test_a_target_is_broken_for_pre_rollout_and_repaired(as_json: bool, repairing: Hook) -> None:
    people = People(as_json=as_json).before((Hook.PRE_ROLLOUT, 403), (Hook.EVENT, 200))
    assert isinstance(people.target, BrokenTarget)
    target = people.before((repairing, 200)).target
    assert isinstance(target, Target)
    assert target.share == 0


def test_a_refusal_by_another_webhook_needs_nothing() -> None:
    assert People().before((Hook.ROLLOUT, 403)).brakes == Brakes()


def test_brakes_survive_what_flagger_writes() -> None:
    people = People().before((Hook.CONFIRM_ROLLOUT, 403))
    people.store.put(people.operator.dressed(CANARY))
    assert people.brakes.hold
    annotations = find(people.store.get(kinds.CANARY, WEB), "metadata", "annotations")
    assert annotations == {"team": "shop", "lockstep/hold": "true"}


def test_brakes_of_a_canary_that_is_not_there_wait_for_it() -> None:
    people = People()
    people.store.delete(kinds.CANARY, WEB)
    people.before((Hook.CONFIRM_ROLLOUT, 403))
    people.store.put(people.operator.dressed(CANARY))
    assert people.brakes.hold
