"""The law, stated as properties of every view, and the design's cases one by one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    NOW,
    REF,
    Brakes,
    BrokenTarget,
    Ceiling,
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
from webhook.kinds import Name
from webhook.policy import Announced, decide
from webhook.reasons import Reason
from webhook.targets import Target
from webhook.view import Event, View

SHARES = st.integers(0, 100)
TIMES = st.floats(NOW - 300, NOW + 300).map(lambda at: round(at, 3))
PROBLEMS = st.builds(
    Problem, st.sampled_from([Reason.ROUTER_UNREADABLE, Reason.WORKLOAD_UNREADABLE]), st.just("x")
)
CEILINGS = st.builds(Ceiling, st.sampled_from([0, 0, 0, 10]), TIMES, TIMES)
BRAKES = st.builds(
    Brakes,
    hold=st.booleans(),
    rollback=st.booleans(),
    cap=st.none() | SHARES,
) | st.just(Brakes(cap_error="lockstep/cap is 'lots'"))
CANARIES = st.builds(
    a_canary,
    phase=st.sampled_from(list(Phase)),
    deleting=st.booleans(),
    interval=st.floats(10, 120),
    last_transition=TIMES.map(float.__floor__).map(float),
    brakes=BRAKES,
)
INVALID = BRAKES.map(lambda it: replace(an_invalid_canary(), brakes=it))
EVENTS = st.builds(
    Event,
    st.sampled_from([f"{it} web.test" for it in Announced] + ["Advance web.test canary weight 50"]),
    TIMES,
)


@st.composite
def targets(draw: st.DrawFn) -> tuple[Target | BrokenTarget, ...]:
    found: list[Target | BrokenTarget] = []
    for number in range(draw(st.integers(0, 3))):
        name = Name("test", f"target-{number}")
        mode = draw(st.sampled_from(list(Mode)))
        if draw(st.integers(0, 5)) == 0:
            found.append(BrokenTarget(name, "it is broken", mode))
            continue
        ceiling = draw(st.none() | CEILINGS)
        changes: dict[str, Any] = {"name": name, "mode": mode, "ceiling": ceiling}
        changes["has_ceiling"] = ceiling is not None or draw(st.booleans())
        found.append(a_target(draw(SHARES), **changes))
    return tuple(found)


VIEWS = st.builds(
    View,
    ref=st.just(REF),
    now=st.just(NOW),
    canary=st.none() | CANARIES | INVALID,
    targets=targets(),
    running=st.booleans() | PROBLEMS,
    router=st.builds(Reading, SHARES, st.sampled_from(["", "", "not yet accepted"]))
    | st.just(Missing("HTTPRoute test/web"))
    | PROBLEMS,
    event=st.none() | EVENTS,
    overdue=st.booleans(),
)


def after(view: View) -> View:
    """The view once everything that was decided has been written, and nothing else happened."""
    written = {
        it.target.name: replace(
            it.target,
            share=it.share,
            ceiling=it.ceiling if it.target.mode is Mode.WRITE else it.target.ceiling,
            has_ceiling=it.target.has_ceiling
            if it.target.mode is Mode.VERIFY
            else bool(it.ceiling),
        )
        for it in decide(view).writes
    }
    return replace(view, targets=tuple(written.get(it.name, it) for it in view.targets))


def steered(view: View) -> list[Target]:
    return [it for it in view.targets if isinstance(it, Target) and it.mode is Mode.WRITE]


@given(VIEWS)
def test_no_share_is_raised_above_the_router(view: View) -> None:
    raised = [it for it in decide(view).writes if it.share > it.target.share]
    if raised:
        assert isinstance(view.router, Reading)
        assert all(it.share <= view.router.share for it in raised)


@given(VIEWS)
def test_once_written_no_write_target_is_above_the_router_that_was_read(view: View) -> None:
    """Whatever else could not be read: a workload, a Canary, a cap."""
    if isinstance(view.router, Reading):
        for target in steered(after(view)):
            assert target.share <= view.router.share


@given(VIEWS)
def test_once_written_no_write_target_is_above_a_cap(view: View) -> None:
    cap = view.brakes.cap
    for target in steered(after(view)):
        assert cap is None or target.share <= cap


@given(VIEWS)
def test_once_written_no_write_target_is_above_any_ceiling_that_lives(view: View) -> None:
    interval = getattr(view.canary, "interval", 0.0)
    life = max(30.0, interval + 10.0)
    ceilings = [it.ceiling for it in steered(view) if it.ceiling]
    living = [it.value for it in ceilings if abs(view.now - it.written) < life]
    for target in steered(after(view)):
        assert all(target.share <= value for value in living)


@given(VIEWS)
def test_once_written_every_write_target_is_0_without_a_running_canary(view: View) -> None:
    gone = view.canary is None or getattr(view.canary, "deleting", False)
    if gone or view.running is False:
        assert all(target.share == 0 for target in steered(after(view)))


@given(VIEWS)
def test_what_is_unreadable_unsettled_or_invalid_never_raises(view: View) -> None:
    facts = (view.canary, view.running, view.router)
    unreadable = any(isinstance(it, Problem) for it in facts) and view.canary is not None
    unsettled = isinstance(view.router, Reading) and view.router.unsettled
    if unreadable or unsettled or view.brakes.cap_error:
        assert all(it.share <= it.target.share for it in decide(view).writes)


@given(VIEWS)
def test_a_verify_target_is_only_ever_lowered_and_only_when_flux_is_overdue(view: View) -> None:
    for write in decide(view).writes:
        if write.target.mode is Mode.VERIFY:
            assert view.overdue
            assert write.share < write.target.share


@given(VIEWS)
def test_once_written_there_is_nothing_more_to_write(view: View) -> None:
    assert decide(after(view)).writes == ()


@given(VIEWS)
def test_the_same_view_gives_the_same_decision(view: View) -> None:
    assert decide(view) == decide(replace(view))


@given(VIEWS)
def test_a_broken_target_is_never_written(view: View) -> None:
    names = {it.name for it in view.targets if isinstance(it, BrokenTarget)}
    assert not names & {it.target.name for it in decide(view).writes}


@given(VIEWS)
def test_every_ceiling_ends_by_itself(view: View) -> None:
    wake = decide(view).wake
    if wake is not None:
        assert 0 < wake <= 2 * max(30, 130)
        later = replace(after(view), now=view.now + wake + 0.001, event=None)
        assert decide(later).ceiling is None


@given(VIEWS)
def test_in_step_means_that_every_target_has_the_desired_share(view: View) -> None:
    decision = decide(view)
    shares = {it.share if isinstance(it, Target) else None for it in view.targets}
    if decision.in_step:
        assert shares <= {decision.desired}


def unparsed(**brakes: object) -> View:
    """A Canary that does not parse, so that neither workload nor router is known."""
    canary = an_invalid_canary(**brakes)
    return a_view(canary=canary, running=canary, router=canary)


CASES: list[tuple[str, View, int]] = [
    ("the router routes more", a_view(router=Reading(50)), 50),
    ("the router routes less", a_view(router=Reading(10)), 10),
    ("Flagger has scaled the canary down", a_view(running=False), 0),
    ("the Canary is being deleted", a_view(canary=a_canary(deleting=True)), 0),
    ("the Canary is not set up yet", a_view(canary=a_canary(phase=Phase.NEW)), 0),
    ("Flagger sets the Canary up", a_view(canary=a_canary(phase=Phase.INITIALIZING)), 0),
    ("the Canary is gone", a_view(canary=None, running=False, router=Reading(0)), 0),
    ("a cap", a_view(canary=a_canary(brakes=Brakes(cap=10))), 10),
    ("a cap above the router", a_view(canary=a_canary(brakes=Brakes(cap=90))), 25),
    ("the kill switch", a_view(canary=a_canary(brakes=Brakes(cap=0))), 0),
    ("a hold does not touch the share", a_view(canary=a_canary(brakes=Brakes(hold=True))), 25),
    ("an invalid cap does not raise", a_view(
        canary=a_canary(brakes=Brakes(cap_error="lots")), router=Reading(50)), 25),
    ("an invalid cap still lowers", a_view(
        canary=a_canary(brakes=Brakes(cap_error="lots")), router=Reading(5)), 5),
    ("an unsettled router does not raise", a_view(router=Reading(50, "not accepted")), 25),
    ("an unsettled router lowers", a_view(router=Reading(5, "not accepted")), 5),
    ("an unreadable router keeps", a_view(router=Problem(Reason.ROUTER_UNREADABLE, "x")), 25),
    ("an unreadable workload keeps", a_view(running=Problem(Reason.WORKLOAD_UNREADABLE, "x")), 25),
    ("an invalid Canary keeps", unparsed(), 25),
    ("a cap counts although the Canary is invalid", unparsed(cap=10), 10),
    ("the kill switch counts although the Canary is invalid", unparsed(cap=0), 0),
    ("an invalid Canary does not raise to its cap", unparsed(cap=90), 25),
    ("an announcement counts although the Canary is invalid", replace(
        unparsed(), event=an_event("Rolling back web.test failed checks threshold reached 5")), 0),
    ("a ceiling counts although the Canary is invalid", replace(
        unparsed(), targets=(a_target(25, ceiling=a_ceiling(value=5)),)), 5),
    ("a missing router keeps within a rollout", a_view(router=Missing("HTTPRoute test/web")), 25),
    ("a missing router is 0 at rest", a_view(
        canary=a_canary(phase=Phase.SUCCEEDED), router=Missing("HTTPRoute test/web")), 0),
    ("scaled to zero counts more than an unreadable router", a_view(
        running=False, router=Problem(Reason.ROUTER_UNREADABLE, "x")), 0),
    ("a ceiling counts although the router is unreadable", a_view(
        canary=a_canary(phase=Phase.PROMOTING), event=an_event(),
        router=Problem(Reason.ROUTER_UNREADABLE, "x")), 0),
    ("a cap counts although the router is unreadable", a_view(
        canary=a_canary(brakes=Brakes(cap=3)), router=Problem(Reason.ROUTER_UNREADABLE, "x")), 3),
]  # fmt: skip


@pytest.mark.parametrize(("view", "share"), [it[1:] for it in CASES], ids=[it[0] for it in CASES])
def test_the_share_of_a_target(view: View, share: int) -> None:
    (target,) = after(view).targets
    assert isinstance(target, Target)
    assert target.share == share


POSSIBLE = [
    (Announced.TO_PRIMARY, {Phase.PROMOTING}),
    (Announced.RESTARTING,
     {Phase.PROGRESSING, Phase.WAITING, Phase.WAITING_PROMOTION, Phase.PROMOTING}),
    (Announced.ROLLING_BACK,
     {Phase.NEW, Phase.WAITING, Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING,
      Phase.FINALISING, Phase.TERMINATING}),
]  # fmt: skip


@pytest.mark.parametrize("phase", [it for it in Phase if it is not Phase.UNKNOWN])
@pytest.mark.parametrize(("announced", "phases"), POSSIBLE)
def test_an_announcement_counts_only_in_a_phase_that_can_make_it(
    announced: Announced, phases: set[Phase], phase: Phase
) -> None:
    view = a_view(canary=a_canary(phase=phase), event=an_event(f"{announced} web.test"))
    assert (decide(view).ceiling is not None) == (phase in phases)


@pytest.mark.parametrize("announced", list(Announced))
def test_an_announcement_of_a_phase_that_we_do_not_know_counts(announced: Announced) -> None:
    view = a_view(canary=a_canary(phase=Phase.UNKNOWN), event=an_event(announced))
    assert decide(view).limit == 0


PROMOTING = a_canary(phase=Phase.PROMOTING)


@pytest.mark.parametrize(
    "message",
    [
        "Canary failed! Scaling down web.test",
        "Advance web.test canary weight 50",
        "Advance web.test primary weight 80",
        "Promotion completed! Scaling down web.test",
        "New revision detected! Scaling up web.test",
        "routing all traffic to primary",
        "",
    ],
)
def test_every_other_event_sets_no_ceiling(message: str) -> None:
    assert decide(a_view(canary=PROMOTING, event=an_event(message))).ceiling is None


def test_an_announcement_lowers_while_the_router_still_routes() -> None:
    decision = decide(a_view(canary=PROMOTING, event=an_event()))
    (write,) = decision.writes
    assert (write.share, write.ceiling) == (0, Ceiling(0, written=NOW, announced=NOW))
    assert decision.wake == 30.0


def test_a_ceiling_is_written_although_the_number_is_already_right() -> None:
    """Or else a concurrent raise, decided before the announcement, would not conflict."""
    view = a_view(canary=PROMOTING, event=an_event(), targets=(a_target(0),))
    (write,) = decide(view).writes
    assert write.ceiling is not None
    assert write.release == ""


def test_a_ceiling_is_not_written_when_the_router_is_there_already() -> None:
    view = a_view(canary=PROMOTING, event=an_event(), router=Reading(0), targets=(a_target(0),))
    assert decide(view).writes == ()


def test_a_standing_ceiling_holds_a_raise_back() -> None:
    view = a_view(targets=(a_target(0, ceiling=a_ceiling()),))
    assert decide(view).writes == ()
    assert decide(view).desired == 0


def test_the_lowest_ceiling_of_all_targets_counts_for_all() -> None:
    other = a_target(name=Name("test", "other"))
    view = a_view(targets=(a_target(0, ceiling=a_ceiling()), other))
    (write,) = decide(view).writes
    assert (write.target, write.share, write.ceiling) == (other, 0, a_ceiling())


def test_a_ceiling_ends_when_the_router_is_seen_at_it() -> None:
    view = a_view(targets=(a_target(0, ceiling=a_ceiling()),), router=Reading(0))
    (write,) = decide(view).writes
    assert write.ceiling is None


LIVES = [(10.0, 29.9, True), (10.0, 30.0, False), (60.0, 69.9, True), (60.0, 70.0, False)]


@pytest.mark.parametrize(("interval", "age", "holds"), LIVES)
def test_a_ceiling_lives_for_an_interval_and_10_s_and_at_least_30_s(
    interval: float, age: float, holds: bool
) -> None:
    target = a_target(0, ceiling=a_ceiling(age))
    decision = decide(a_view(canary=a_canary(interval=interval), targets=(target,)))
    assert (decision.ceiling is not None) == holds


def test_a_ceiling_whose_time_is_over_does_not_hide_one_that_lives() -> None:
    over = a_target(0, ceiling=a_ceiling(age=100))
    other = a_target(5, name=Name("test", "other"), ceiling=a_ceiling(age=1, value=5))
    decision = decide(a_view(targets=(over, other), router=Reading(50)))
    assert decision.ceiling == other.ceiling
    assert decision.limit == 5


def test_of_two_ceilings_alike_the_later_counts() -> None:
    """So that all targets come to hold the same, and no two replicas write in turns."""
    early = a_target(0, ceiling=a_ceiling(age=5))
    late = a_target(0, name=Name("test", "other"), ceiling=a_ceiling(age=1))
    for targets_ in ((early, late), (late, early)):
        (write,) = decide(a_view(targets=targets_)).writes
        assert (write.target, write.ceiling) == (early, late.ceiling)


def test_a_ceiling_holds_however_many_targets_there_are() -> None:
    found = tuple(a_target(25, name=Name("test", f"t{number}")) for number in range(5))
    view = a_view(canary=a_canary(phase=Phase.PROMOTING), targets=found, event=an_event())
    assert [write.share for write in decide(view).writes] == [0] * 5


def test_what_stands_on_a_verify_target_is_no_ceiling() -> None:
    future = Ceiling(0, written=NOW, announced=NOW + 10**6)
    verify = replace(a_verify_target(0), ceiling=future, has_ceiling=True)
    view = a_view(canary=PROMOTING, targets=(a_target(), verify), event=an_event())
    assert decide(view).ceiling == Ceiling(0, NOW, NOW)


def test_a_workload_that_cannot_be_read_does_not_keep_the_share_above_the_router() -> None:
    unreadable = Problem(Reason.WORKLOAD_UNREADABLE, "x")
    decision = decide(a_view(running=unreadable, router=Reading(10)))
    assert (decision.limit, decision.desired) == (10, None)
    assert [write.share for write in decision.writes] == [10]


def test_a_ceiling_from_the_future_is_bounded_too() -> None:
    assert decide(a_view(targets=(a_target(0, ceiling=a_ceiling(-1000)),))).ceiling is None


def test_a_ceiling_that_somebody_broke_is_removed() -> None:
    (write,) = decide(a_view(targets=(a_target(has_ceiling=True),))).writes
    assert (write.share, write.ceiling) == (25, None)


REPEATS = [(NOW - 1, False, "the same again"), (NOW - 2, False, "older"), (NOW, True, "newer")]


@pytest.mark.parametrize(("at", "renewed", "_why"), REPEATS)
def test_only_a_newer_announcement_renews_a_ceiling(at: float, renewed: bool, _why: str) -> None:
    target = a_target(0, ceiling=a_ceiling(1))
    decision = decide(a_view(canary=PROMOTING, targets=(target,), event=an_event(at=at)))
    assert (decision.ceiling == Ceiling(0, NOW, NOW)) == renewed
    assert bool(decision.writes) == renewed


TRANSITIONS = [
    (NOW + 0.999, NOW, True),
    (NOW + 0.4, NOW + 0.5, False),  # 0.4 s is within the whole second before 0.5 s
    (NOW - 0.001, NOW, False),
    (NOW, NOW, True),
]


@pytest.mark.parametrize(("at", "last_transition", "counts"), TRANSITIONS)
def test_an_announcement_older_than_the_last_transition_is_ignored(
    at: float, last_transition: float, counts: bool
) -> None:
    canary = replace(PROMOTING, last_transition=last_transition)
    decision = decide(a_view(canary=canary, event=an_event(at=at)))
    assert (decision.ceiling is not None) == counts


def test_the_release_goes_with_a_changed_number_only() -> None:
    (write,) = decide(a_view(router=Reading(50))).writes
    assert write.release == "abc123"


def test_flux_brings_a_lowering_through_until_it_is_overdue() -> None:
    view = a_view(targets=(a_target(0), a_verify_target(25)), router=Reading(0))
    assert decide(view).writes == ()
    (write,) = decide(replace(view, overdue=True)).writes
    assert (write.target.mode, write.share) == (Mode.VERIFY, 0)


def test_a_verify_target_alone_is_never_written() -> None:
    view = a_view(targets=(a_verify_target(25),), router=Reading(0), overdue=True)
    assert decide(view).writes == ()
