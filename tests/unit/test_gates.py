"""What each hook is answered, as a table: hook, what is the case, answer, reason."""

from dataclasses import replace

import pytest
from hypothesis import given

from tests.builders import (
    Brakes,
    BrokenTarget,
    Missing,
    Mode,
    Phase,
    Problem,
    Reading,
    a_canary,
    a_ceiling,
    a_target,
    a_verify_target,
    a_view,
    an_event,
    an_invalid_canary,
)
from tests.unit.test_policy import VIEWS
from webhook import gates
from webhook.checks import Outcome
from webhook.gates import Answer, Hook, Verdict
from webhook.kinds import Name
from webhook.policy import decide
from webhook.reasons import Reason
from webhook.view import View

YES, NO, UNKNOWN, FAULT = Answer.APPROVED, Answer.REFUSED, Answer.UNKNOWN, Answer.FAULT
CTI, PROMOTION = Hook.CONFIRM_TRAFFIC_INCREASE, Hook.CONFIRM_PROMOTION
GATES = (Hook.CONFIRM_ROLLOUT, CTI, PROMOTION)
ROUTER = Problem(Reason.ROUTER_UNREADABLE, "get HTTPRoute test/web: forbidden")
FULL = Problem(Reason.WRITE_REFUSED, "patch ConfigMap test/canary-vars: forbidden")
BROKEN = BrokenTarget(Name("test", "broken"), "CANARY_PERCENTAGE is 'lots'", Mode.WRITE)


def outcome(view: View, *failures: Problem) -> Outcome:
    return Outcome(view, decide(view), failures)


def at_rest(**changes: object) -> View:
    canary = a_canary(phase=Phase.INITIALIZED, brakes=changes.pop("brakes", Brakes()))
    values = {"canary": canary, "router": Reading(0), "targets": (a_target(0),), "running": False}
    return a_view(**{**values, **changes})


def braked(phase: Phase = Phase.PROGRESSING, **brakes: object) -> View:
    return a_view(canary=a_canary(phase=phase, brakes=Brakes(**brakes)))  # type: ignore[arg-type]


OFF = a_view(targets=(a_target(10),))
ABOVE = a_view(targets=(a_target(50),))
VERIFIED = a_view(targets=(a_target(), a_verify_target(10)))
LATE_LOWERING = a_view(targets=(a_target(), a_verify_target(50)))
NO_WRITE_TARGET = a_view(targets=(a_verify_target(),))
GONE = a_view(canary=None, running=False, router=Reading(0), targets=(a_target(0),))
ANNOUNCED = a_view(targets=(a_target(0, ceiling=a_ceiling()),))
AB_TEST = replace(at_rest(), canary=a_canary(phase=Phase.INITIALIZED, ab_test=True))
PLAIN = replace(at_rest(), canary=a_canary(phase=Phase.INITIALIZED, provider="kubernetes"))
INVALID = an_invalid_canary()


def unparsed(**brakes: object) -> View:
    canary = an_invalid_canary(**brakes)
    return a_view(canary=canary, running=canary, router=canary)


Case = tuple[Hook, str, Outcome, Answer, Reason]
CASES: list[Case] = [
    (Hook.CONFIRM_ROLLOUT, "ready", outcome(at_rest()), YES, Reason.READY),
    (Hook.CONFIRM_ROLLOUT, "A/B", outcome(AB_TEST), YES, Reason.BROWSERS_EXCLUDED),
    (Hook.CONFIRM_ROLLOUT, "no weights", outcome(PLAIN), YES, Reason.BROWSERS_EXCLUDED),
    (Hook.CONFIRM_ROLLOUT, "no targets", outcome(at_rest(targets=())), NO, Reason.NO_TARGETS),
    (Hook.CONFIRM_ROLLOUT, "only a verify target", outcome(at_rest(targets=(a_verify_target(0),))),
     NO, Reason.NO_TARGETS),
    (Hook.CONFIRM_ROLLOUT, "a broken target", outcome(at_rest(targets=(a_target(0), BROKEN))),
     NO, Reason.TARGET_INVALID),
    (Hook.CONFIRM_ROLLOUT, "a verify target still at 25", outcome(
        at_rest(targets=(a_target(0), a_verify_target(25)))), NO, Reason.OUT_OF_STEP),
    (Hook.CONFIRM_ROLLOUT, "router unreadable", outcome(at_rest(router=ROUTER)),
     NO, Reason.ROUTER_UNREADABLE),
    (Hook.CONFIRM_ROLLOUT, "router missing", outcome(at_rest(router=Missing("HTTPRoute test/web"))),
     NO, Reason.ROUTER_UNREADABLE),
    (Hook.CONFIRM_ROLLOUT, "invalid cap", outcome(at_rest(brakes=Brakes(cap_error="cap is 'x'"))),
     NO, Reason.BRAKE_INVALID),
    (Hook.CONFIRM_ROLLOUT, "hold", outcome(at_rest(brakes=Brakes(hold=True))), NO, Reason.HELD),
    (Hook.CONFIRM_ROLLOUT, "rollback asked for", outcome(at_rest(brakes=Brakes(rollback=True))),
     NO, Reason.ROLLBACK_REQUESTED),
    (Hook.CONFIRM_ROLLOUT, "invalid Canary", outcome(at_rest(canary=INVALID)),
     NO, Reason.CANARY_INVALID),
    (Hook.CONFIRM_ROLLOUT, "no targets counts before a hold", outcome(
        at_rest(targets=(), brakes=Brakes(hold=True))), NO, Reason.NO_TARGETS),
    (Hook.CONFIRM_ROLLOUT, "a hold counts before a rollback", outcome(
        at_rest(brakes=Brakes(hold=True, rollback=True))), NO, Reason.HELD),
    (Hook.CONFIRM_ROLLOUT, "a hold counts before being out of step", outcome(
        at_rest(targets=(a_target(0), a_verify_target(25)), brakes=Brakes(hold=True))),
     NO, Reason.HELD),
    (Hook.PRE_ROLLOUT, "in step", outcome(a_view()), YES, Reason.SYNCED),
    (Hook.PRE_ROLLOUT, "no targets", outcome(a_view(targets=())), NO, Reason.NO_TARGETS),
    (Hook.PRE_ROLLOUT, "a broken target", outcome(a_view(targets=(BROKEN,))),
     NO, Reason.TARGET_INVALID),
    (Hook.PRE_ROLLOUT, "a transient fault", outcome(a_view(router=ROUTER)),
     YES, Reason.ROUTER_UNREADABLE),
    (Hook.PRE_ROLLOUT, "hold", outcome(braked(hold=True)), YES, Reason.SYNCED),
    (Hook.PRE_ROLLOUT, "out of step", outcome(OFF), YES, Reason.OUT_OF_STEP),
    (Hook.ROLLOUT, "in step", outcome(a_view()), YES, Reason.SYNCED),
    (Hook.ROLLOUT, "out of step", outcome(OFF), YES, Reason.OUT_OF_STEP),
    (Hook.ROLLOUT, "no targets", outcome(a_view(targets=())), YES, Reason.SYNCED),
    (Hook.ROLLOUT, "a broken target", outcome(a_view(targets=(BROKEN,))),
     YES, Reason.TARGET_INVALID),
    *[(hook, *case) for hook in (CTI, PROMOTION) for case in [
        ("in step", outcome(a_view()), YES, Reason.IN_STEP),
        ("hold", outcome(braked(hold=True)), NO, Reason.HELD),
        ("hold without a write target", outcome(replace(
            NO_WRITE_TARGET, canary=a_canary(brakes=Brakes(hold=True)))), NO, Reason.HELD),
        ("no write target", outcome(NO_WRITE_TARGET), YES, Reason.NO_WRITE_TARGET),
        ("no target at all", outcome(a_view(targets=())), YES, Reason.NO_WRITE_TARGET),
        ("a broken target", outcome(a_view(targets=(a_target(), BROKEN))),
         NO, Reason.TARGET_INVALID),
        ("only a broken target", outcome(a_view(targets=(BROKEN,))), NO, Reason.TARGET_INVALID),
        ("out of step", outcome(OFF), NO, Reason.OUT_OF_STEP),
        ("not yet rendered", outcome(VERIFIED), NO, Reason.OUT_OF_STEP),
        ("a ceiling", outcome(ANNOUNCED), NO, Reason.CEILING_IN_FORCE),
        ("router unreadable", outcome(a_view(router=ROUTER)), NO, Reason.ROUTER_UNREADABLE),
        ("router missing", outcome(a_view(router=Missing("HTTPRoute test/web"))),
         NO, Reason.ROUTER_UNREADABLE),
        ("router unsettled", outcome(a_view(router=Reading(50, "not accepted"))),
         NO, Reason.ROUTER_UNSETTLED),
        ("unsettled but in step", outcome(a_view(router=Reading(25, "not accepted"))),
         YES, Reason.IN_STEP),
        ("workload unreadable", outcome(a_view(
            running=Problem(Reason.WORKLOAD_UNREADABLE, "x"))), NO, Reason.WORKLOAD_UNREADABLE),
        ("invalid cap", outcome(braked(cap_error="cap is 'x'")), NO, Reason.BRAKE_INVALID),
        ("write refused", outcome(OFF, FULL), NO, Reason.WRITE_REFUSED),
        ("a refused write that did not matter", outcome(a_view(), FULL), YES, Reason.IN_STEP),
        ("rollback asked for", outcome(braked(rollback=True)), YES, Reason.IN_STEP),
        ("an invalid cap counts before a ceiling", outcome(replace(
            ANNOUNCED, canary=a_canary(brakes=Brakes(cap_error="cap is 'x'")))),
         NO, Reason.BRAKE_INVALID),
        ("a ceiling counts before being out of step", outcome(
            a_view(targets=(a_target(0, ceiling=a_ceiling()), a_verify_target(25)))),
         NO, Reason.CEILING_IN_FORCE),
        ("invalid Canary", outcome(unparsed()), NO, Reason.CANARY_INVALID),
        ("hold on an invalid Canary", outcome(unparsed(hold=True)), NO, Reason.HELD),
        ("unknown", outcome(GONE), UNKNOWN, Reason.UNKNOWN_CANARY),
    ]],
    (Hook.ROLLBACK, "nobody asked", outcome(a_view()), NO, Reason.NO_ROLLBACK_REQUESTED),
    (Hook.ROLLBACK, "asked", outcome(braked(rollback=True)), YES, Reason.ROLLBACK_APPROVED),
    (Hook.ROLLBACK, "while waiting for promotion", outcome(
        braked(Phase.WAITING_PROMOTION, rollback=True)), YES, Reason.ROLLBACK_APPROVED),
    (Hook.ROLLBACK, "too late", outcome(braked(Phase.PROMOTING, rollback=True)),
     NO, Reason.ROLLBACK_TOO_LATE),
    (Hook.ROLLBACK, "too late", outcome(braked(Phase.FINALISING, rollback=True)),
     NO, Reason.ROLLBACK_TOO_LATE),
    (Hook.ROLLBACK, "unknown", outcome(GONE), UNKNOWN, Reason.UNKNOWN_CANARY),
    (Hook.ROLLBACK, "invalid Canary", outcome(a_view(canary=INVALID)),
     NO, Reason.NO_ROLLBACK_REQUESTED),
    (Hook.ROLLBACK, "asked on an invalid Canary", outcome(unparsed(rollback=True)),
     YES, Reason.ROLLBACK_APPROVED),
    *[(hook, *case) for hook in (Hook.EVENT, Hook.POST_ROLLOUT) for case in [
        ("in step", outcome(a_view()), YES, Reason.SYNCED),
        ("a raise that Flux has not rendered", outcome(VERIFIED), YES, Reason.OUT_OF_STEP),
        ("a lowering that Flux has not rendered", outcome(LATE_LOWERING),
         FAULT, Reason.DEADLINE_EXCEEDED),
        ("a lowering that was refused", outcome(ABOVE, FULL), FAULT, Reason.WRITE_REFUSED),
        ("nothing that Lockstep steers", outcome(replace(
            NO_WRITE_TARGET, router=Reading(0))), YES, Reason.OUT_OF_STEP),
        ("a broken target", outcome(a_view(targets=(a_target(), BROKEN))),
         YES, Reason.TARGET_INVALID),
        ("router unreadable", outcome(a_view(router=ROUTER)), YES, Reason.ROUTER_UNREADABLE),
        ("hold", outcome(braked(hold=True)), YES, Reason.SYNCED),
        ("invalid Canary", outcome(unparsed()), YES, Reason.CANARY_INVALID),
        ("invalid Canary, above its cap", outcome(unparsed(cap=10)),
         FAULT, Reason.DEADLINE_EXCEEDED),
        ("invalid Canary, a cap that was refused", outcome(unparsed(cap=10), FULL),
         FAULT, Reason.WRITE_REFUSED),
        ("after deletion", outcome(GONE), YES, Reason.UNKNOWN_CANARY),
        ("after deletion, not yet 0", outcome(replace(GONE, targets=(a_target(20),))),
         FAULT, Reason.DEADLINE_EXCEEDED),
    ]],
    (Hook.EVENT, "an announcement that is not yet through", outcome(a_view(
        canary=a_canary(phase=Phase.PROMOTING), event=an_event())),
     FAULT, Reason.DEADLINE_EXCEEDED),
    (Hook.EVENT, "an announcement on an invalid Canary that is not yet through", outcome(
        replace(unparsed(), event=an_event())), FAULT, Reason.DEADLINE_EXCEEDED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("hook", "_case", "given", "answer", "reason"), CASES, ids=[f"{it[0]}: {it[1]}" for it in CASES]
)
def test_a_hook_is_answered(
    hook: Hook, _case: str, given: Outcome, answer: Answer, reason: Reason
) -> None:
    verdict = gates.verdict(hook, given)
    assert (verdict.answer, verdict.reason) == (answer, reason)
    assert verdict.message


UNAVAILABLE = {
    Hook.CONFIRM_ROLLOUT: FAULT,
    Hook.PRE_ROLLOUT: YES,
    Hook.ROLLOUT: YES,
    CTI: FAULT,
    PROMOTION: FAULT,
    Hook.ROLLBACK: NO,
    Hook.POST_ROLLOUT: FAULT,
    Hook.EVENT: FAULT,
}


@pytest.mark.parametrize("hook", list(Hook))
def test_an_unreadable_cluster_never_costs_a_failed_check_nor_a_rollback(hook: Hook) -> None:
    problem = Problem(Reason.CLUSTER_UNAVAILABLE, "list configmaps: refused")
    assert gates.unavailable(hook, problem).answer is UNAVAILABLE[hook]


@given(VIEWS)
def test_no_gate_approves_while_a_target_is_above_its_limit(view: View) -> None:
    if view.has_write_target and decide(view).above:
        for hook in (*GATES, Hook.EVENT, Hook.POST_ROLLOUT):
            assert not gates.verdict(hook, outcome(view)).approved


@given(VIEWS)
def test_a_rollback_is_asked_for_only_where_the_brake_is_set(view: View) -> None:
    if gates.verdict(Hook.ROLLBACK, outcome(view)).approved:
        assert view.brakes.rollback


@given(VIEWS)
def test_observe_mode_refuses_nothing_but_a_rollback(view: View) -> None:
    for hook in Hook:
        would_be = gates.verdict(hook, outcome(view))
        assert gates.observed(hook, would_be).approved == (hook is not Hook.ROLLBACK)


def test_observe_mode_says_what_it_would_have_answered() -> None:
    would_be = Verdict(NO, Reason.HELD, "annotation lockstep/hold on the Canary is true")
    observed = gates.observed(CTI, would_be)
    assert observed.reason is Reason.OBSERVING
    assert "Held: annotation lockstep/hold" in observed.message


def test_a_refusal_names_the_config_map_and_both_numbers() -> None:
    message = gates.verdict(CTI, outcome(OFF)).message
    assert message == "the share should be 25 %; ConfigMap test/canary-vars has 10 %"
