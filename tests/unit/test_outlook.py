"""What an operator is told of a brake, by phase and by the hooks that the Canary has."""

from dataclasses import replace
from typing import Any

import pytest

from tests.builders import (
    Brakes,
    Phase,
    Problem,
    Reading,
    a_canary,
    a_target,
    a_verify_target,
    a_view,
)
from webhook import outlook
from webhook.brakes import Brake, Change
from webhook.canary import Canary
from webhook.fields import FieldError
from webhook.gates import Hook
from webhook.policy import decide
from webhook.reasons import Reason
from webhook.situation import Shares, Situation, situation
from webhook.view import View

HOLD = Change(Brake.HOLD, "true")
UNHOLD = Change(Brake.HOLD, None)
ROLLBACK = Change(Brake.ROLLBACK, "true")
UNROLL = Change(Brake.ROLLBACK, None)
CAP = Change(Brake.CAP, "10")
UNCAP = Change(Brake.CAP, None)
ALL = frozenset(Hook)
C, I, P, R = (  # noqa: E741
    Hook.CONFIRM_ROLLOUT,
    Hook.CONFIRM_TRAFFIC_INCREASE,
    Hook.CONFIRM_PROMOTION,
    Hook.ROLLBACK,
)


def an_object(hooks: frozenset[Hook] = ALL, **spec: Any) -> dict[str, Any]:
    webhooks = [{"name": str(it), "type": str(it), "url": f"http://l.ns/{it}"} for it in hooks]
    analysis = {"webhooks": webhooks, **spec.pop("analysis", {})}
    return {"spec": {"analysis": analysis, **spec}}


def told(
    change: Change,
    hooks: frozenset[Hook] = ALL,
    view: View | None = None,
    spec: dict[str, Any] | None = None,
    **canary: Any,
) -> str:
    """Everything that is said of a change on a canary at 25 %."""
    view = view or a_view()
    after = a_canary(**canary)
    shares = Shares(view, decide(replace(view, canary=after)))
    lines = outlook.follows(change, situation(after, an_object(hooks, **(spec or {})), shares))
    return "\n".join(lines)


HOLD_CASES = [
    (ALL, Phase.SUCCEEDED, "The next one waits before it starts (phase Waiting)."),
    (ALL - {C}, Phase.FAILED, "starts all the same, and waits at 0 % before its first step."),
    (ALL - {C, I}, Phase.NEW, "starts all the same, and waits before its promotion."),
    (ALL, Phase.WAITING, "goes on waiting; nothing is scaled up"),
    (ALL - {C}, Phase.WAITING, "is not Lockstep's. The rollout starts all the same"),
    (ALL, Phase.PROGRESSING, "Flagger holds at 25 %, from its next check on (every 10 s)."),
    (ALL, Phase.PROGRESSING, "The client share stays 25 %."),
    (ALL, Phase.UNKNOWN, "Flagger holds at 25 %"),
    (ALL - {I}, Phase.PROGRESSING, "goes on to its last step, and waits before the promotion"),
    ({C}, Phase.PROGRESSING, "Warning: this rollout is not held: the Canary has no"),
    (ALL, Phase.WAITING_PROMOTION, "goes on waiting at 25 %, before the promotion"),
    (ALL - {P}, Phase.WAITING_PROMOTION, "Warning: this rollout is not held"),
    (ALL, Phase.PROMOTING, "Warning: too late for this rollout: while Promoting, Flagger asks no"),
    (ALL, Phase.FINALISING, "The next one waits before it starts (phase Waiting)."),
    ({R}, Phase.PROGRESSING, "Warning: nothing is held: the Canary has no confirm-rollout or"),
]
ROLLBACK_CASES = [
    (ALL, Phase.SUCCEEDED, "No rollout is under way, so there is nothing to roll back."),
    (ALL, Phase.SUCCEEDED, "No new rollout starts until this is taken off."),
    (ALL - {C}, Phase.SUCCEEDED, "Warning: no confirm-rollout hook of Lockstep's keeps the next"),
    (ALL, Phase.WAITING, "It does not start until this is taken off."),
    (ALL - {C}, Phase.WAITING, "keeps this rollout from starting"),
    (ALL, Phase.PROGRESSING, "Flagger rolls back at its next check (every 10 s), provided"),
    (ALL, Phase.WAITING_PROMOTION, "Flagger rolls back at its next check"),
    (ALL - {R}, Phase.PROGRESSING, "Warning: Flagger will not roll back: the Canary has no"),
    (ALL - {R}, Phase.PROGRESSING, "\n  lockstep cap web 0 -n test"),
    (ALL, Phase.PROMOTING, "Warning: too late: while Promoting"),
    (ALL, Phase.FINALISING, "\n  lockstep cap web 0 -n test"),
]  # fmt: skip


@pytest.mark.parametrize(("hooks", "phase", "said"), HOLD_CASES)
def test_a_hold(hooks: frozenset[Hook], phase: Phase, said: str) -> None:
    assert said in told(HOLD, frozenset(hooks), phase=phase, brakes=Brakes(hold=True))


@pytest.mark.parametrize(("hooks", "phase", "said"), ROLLBACK_CASES)
def test_a_rollback(hooks: frozenset[Hook], phase: Phase, said: str) -> None:
    assert said in told(ROLLBACK, frozenset(hooks), phase=phase, brakes=Brakes(rollback=True))


def test_without_any_hook_a_rollback_annotation_does_nothing_to_the_next_rollout() -> None:
    assert told(ROLLBACK, frozenset(), phase=Phase.SUCCEEDED).count("\n") == 0


@pytest.mark.parametrize(
    ("change", "phase", "said"),
    [
        (UNHOLD, Phase.SUCCEEDED, "No rollout is under way; the next one is not held."),
        (UNHOLD, Phase.WAITING, "Flagger starts the rollout at its next check (every 10 s), if"),
        (UNHOLD, Phase.PROGRESSING, "Flagger goes on at its next check (every 10 s), if"),
        (UNHOLD, Phase.WAITING_PROMOTION, "Flagger goes on at its next check"),
        (UNHOLD, Phase.PROMOTING, "The promotion that is under way goes on"),
        (UNROLL, Phase.FAILED, "No rollout is under way; the next one can start."),
        (UNROLL, Phase.WAITING, "Flagger starts the rollout at its next check"),
    ],
)
def test_a_brake_taken_off(change: Change, phase: Phase, said: str) -> None:
    assert said in told(change, phase=phase)


def test_what_is_still_on_is_said() -> None:
    left = Brakes(rollback=True, cap=10)
    assert told(UNHOLD, brakes=left).endswith("\nStill on: rollback, cap=10.")


BELOW = a_view(targets=(a_target(5),), router=Reading(5))
APART = a_view(targets=(a_target(25), a_verify_target(10)))
CAP_CASES = [
    (CAP, 10, None, "The client share falls from 25 % to 10 % at once."),
    (CAP, 10, None, "While this is on, the client share is never above 10 %; Flagger is not held"),
    (CAP, 10, BELOW, "The client share stays 5 %."),
    (CAP, 10, APART, "The client share falls from 10 % and 25 % to 10 % at once."),
    (CAP, 0, None, "While this is on, no browser gets the canary's assets; Flagger"),
    (CAP, 10, a_view(targets=()), "Warning: there is nothing to cap: no ConfigMap has the label"),
    (UNCAP, None, a_view(targets=(a_target(10),)), "share rises from 10 % to 25 % at once."),
]


@pytest.mark.parametrize(("change", "cap", "view", "said"), CAP_CASES)
def test_a_cap(change: Change, cap: int | None, view: View | None, said: str) -> None:
    assert said in told(change, view=view, brakes=Brakes(cap=cap))


def test_where_the_share_may_not_rise_the_reason_is_said() -> None:
    view = a_view(router=Problem(Reason.ROUTER_UNREADABLE, "no such route"))
    said = told(UNCAP, view=view)
    assert said == "The client share stays 25 %. It cannot rise: no such route."


def test_what_is_not_known_is_said_and_the_rest_all_the_same() -> None:
    canary = a_canary(brakes=Brakes(cap=10))
    unknown = Problem(Reason.CLUSTER_FORBIDDEN, "forbidden")
    lines = outlook.follows(CAP, situation(canary, an_object(), unknown))
    assert lines[0] == "What browsers have now is not known (forbidden)."
    assert "never above 10 %" in lines[1]


@pytest.mark.parametrize("change", [HOLD, ROLLBACK])
def test_a_suspended_canary_is_asked_nothing(change: Change) -> None:
    said = told(change, spec={"suspend": True})
    assert said.startswith("Warning: the Canary is suspended (spec.suspend)")
    assert "suspended" not in told(CAP, spec={"suspend": True}, brakes=Brakes(cap=10))


def test_a_canary_that_is_being_deleted_goes_to_0() -> None:
    for canary in ({"deleting": True}, {"phase": Phase.TERMINATING}):
        assert told(HOLD, **canary).endswith("the client share goes to 0.")


def hooks_of(obj: dict[str, Any], canary: Canary | None = None) -> frozenset[Hook]:
    unknown = Problem(Reason.CLUSTER_UNAVAILABLE, "")
    now: Situation = situation(canary or a_canary(), obj, unknown)
    return now.hooks


def test_only_hooks_that_call_lockstep_count() -> None:
    gate = {"name": "gate", "type": "confirm-promotion", "url": "http://loadtester/gate/check"}
    ours = {"name": "ours", "type": "confirm-rollout", "url": "http://l.ns/x/confirm-rollout/"}
    load = {"name": "load", "url": "http://loadtester/"}
    new = {"name": "new", "type": "brand-new", "url": "http://l.ns/brand-new"}
    assert hooks_of({"spec": {"analysis": {"webhooks": [gate, ours, load, new]}}}) == {C}


def test_the_deprecated_name_of_the_analysis_counts_as_for_flagger() -> None:
    analysis = an_object()["spec"]["analysis"]
    assert hooks_of({"spec": {"canaryAnalysis": analysis}}) == ALL


def test_with_iterations_flagger_asks_for_no_traffic_increase() -> None:
    assert I not in hooks_of(an_object(analysis={"iterations": 10}))
    assert I not in hooks_of(an_object(), a_canary(provider="kubernetes"))


def test_with_the_analysis_skipped_only_the_start_is_asked_for() -> None:
    assert hooks_of(an_object(skipAnalysis=True)) == {C}
    said = told(ROLLBACK, spec={"skipAnalysis": True})
    assert "will not roll back: with spec.skipAnalysis it asks for no analysis" in said


def test_a_url_that_is_none_is_named() -> None:
    webhook = {"name": "mine", "type": "rollback", "url": "http://[oops/rollback"}
    with pytest.raises(FieldError, match="url of the webhook mine"):
        hooks_of({"spec": {"analysis": {"webhooks": [webhook]}}})
