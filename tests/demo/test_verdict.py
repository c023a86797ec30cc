"""The demo's judge, and above all that it can condemn."""

import pytest

from webhook.demo.moments import Moment
from webhook.demo.verdict import BOUND, Announcement, Verdict, judge

ROLLING_BACK = "Rolling back web.test failed checks threshold reached 3"


def history(*steps: tuple[float, int | None, int | None]) -> list[Moment]:
    """Moments out of (milliseconds, routed, client), with revisions 1, 2, …"""
    return [
        Moment(rv=rv, at=ms / 1000, phase="Progressing", routed=routed, client=client)
        for rv, (ms, routed, client) in enumerate(steps, start=1)
    ]


def announced(*milliseconds: float, message: str = ROLLING_BACK) -> list[Announcement]:
    return [Announcement(ms / 1000, message) for ms in milliseconds]


def violations(verdict: Verdict) -> list[tuple[int, str]]:
    return [(it.rv, it.text) for it in verdict.violations]


def test_a_rollout_in_step_keeps_the_law_and_is_measured() -> None:
    moments = history((0, 0, 0), (100, 25, 0), (130, 25, 25), (500, 25, 0), (540, 0, 0))
    verdict = judge(moments, announced(510))
    assert verdict.kept
    assert verdict.raises == pytest.approx([0.03])
    assert verdict.lags(announced=True) == pytest.approx([-0.04])
    assert verdict.lags(announced=False) == []


def test_browsers_above_the_router_after_an_announcement_break_the_law_at_once() -> None:
    moments = history((0, 25, 25), (100, 0, 25), (101, 0, 0))
    text = "0 % was routed, the target still had 25 % although Flagger had announced it"
    assert violations(judge(moments, announced(90))) == [(2, text)]


@pytest.mark.parametrize(
    "announcements",
    [
        pytest.param(announced(110), id="only afterwards"),
        pytest.param(announced(10), id="of the step before"),
        pytest.param(announced(90, message="Advance web.test canary weight 50"), id="of a raise"),
        pytest.param([], id="not at all"),
    ],
)
def test_a_fall_that_was_not_announced_may_take_a_moment(announcements: list[Announcement]) -> None:
    moments = history((0, 50, 50), (20, 25, 25), (100, 0, 25), (300, 0, 0))
    verdict = judge(moments, announcements)
    assert verdict.kept
    assert verdict.lags(announced=False)[-1] == pytest.approx(0.2)


def test_following_an_unannounced_fall_too_late_breaks_the_law() -> None:
    late = BOUND * 1000 + 1
    moments = history((0, 25, 25), (100, 0, 25), (100 + late, 0, 0))
    text = "0 % was routed, the target still had 25 % for 251 ms (at most 250)"
    assert violations(judge(moments, [])) == [(2, text)]


def test_the_clock_of_an_unannounced_fall_runs_on_through_the_next_one() -> None:
    moments = history((0, 50, 50), (100, 25, 50), (300, 0, 50), (400, 0, 0))
    assert [rv for rv, _ in violations(judge(moments, []))] == [2]


def test_a_raise_above_the_router_breaks_the_law_however_short() -> None:
    moments = history((0, 25, 25), (100, 25, 50), (101, 25, 25))
    assert violations(judge(moments, [])) == [(2, "raised to 50 % while 25 % was routed")]


def test_a_raise_that_an_unannounced_fall_has_overtaken_is_part_of_that_fall() -> None:
    moments = history((0, 0, 0), (100, 20, 0), (110, 0, 0), (111, 0, 20), (120, 0, 0))
    verdict = judge(moments, [])
    assert verdict.kept
    assert verdict.lags(announced=False) == pytest.approx([0.01])


OVERTAKEN = [
    ("announced", history((100, 20, 0), (110, 0, 0), (111, 0, 20), (120, 0, 0)), announced(105)),
    ("too late", history((100, 20, 0), (110, 0, 0), (361, 0, 20), (370, 0, 0)), []),
    ("never routed", history((100, 20, 0), (110, 0, 0), (111, 0, 25), (120, 0, 0)), []),
]


@pytest.mark.parametrize(("_why", "moments", "announcements"), OVERTAKEN)
def test_no_other_raise_above_the_router_is_excused(
    _why: str, moments: list[Moment], announcements: list[Announcement]
) -> None:
    text = f"raised to {moments[2].client} % while 0 % was routed"
    assert (3, text) in violations(judge(moments, announcements))


def test_a_raise_that_was_overtaken_must_be_put_right_in_time() -> None:
    moments = history((100, 20, 0), (110, 0, 0), (111, 0, 20), (400, 0, 0))
    assert [rv for rv, _ in violations(judge(moments, []))] == [2]


def test_a_raise_under_an_unreadable_router_breaks_the_law() -> None:
    moments = history((0, 25, 25), (100, None, 25), (110, None, 50), (120, 50, 50))
    text = "raised to 50 % while an unknown share was routed"
    assert violations(judge(moments, [])) == [(3, text)]


def at_rest(*steps: tuple[float, int]) -> list[Moment]:
    """A canary at 25 % and then none, out of (milliseconds, client)."""
    running = Moment(rv=1, at=0.0, routed=25, client=25)
    return [running] + [
        Moment(rv=rv, at=ms / 1000, routed=0, client=client, running=False)
        for rv, (ms, client) in enumerate(steps, start=2)
    ]


@pytest.mark.parametrize(
    ("milliseconds", "bound", "kept"),
    [(0, 0.0, True), (1, 0.0, False), (200, BOUND, True), (260, BOUND, False)],
)
def test_browsers_may_not_be_sent_to_a_canary_that_does_not_run(
    milliseconds: float, bound: float, kept: bool
) -> None:
    moments = at_rest((100, 25), (100 + milliseconds, 0)) if milliseconds else at_rest((100, 0))
    verdict = judge(moments, [], bound)
    assert verdict.idle == pytest.approx(milliseconds / 1000)
    ran = [text for _, text in violations(verdict) if "while no canary ran" in text]
    assert bool(ran) is not kept


def test_a_target_that_never_comes_down_breaks_the_law() -> None:
    moments = history((0, 25, 25), (100, 0, 25))
    assert violations(judge(moments, [])) == [(2, "it ended with 25 % while 0 % was routed")]


def test_a_target_that_never_rises_breaks_the_law() -> None:
    moments = history((0, 0, 0), (100, 25, 0))
    assert violations(judge(moments, [])) == [(2, "it ended with 0 % while 25 % was routed")]


def test_a_target_that_stays_broken_breaks_the_law() -> None:
    moments = history((0, 0, 0), (100, 0, None))
    text = "it ended with an unknown share while 0 % was routed"
    assert violations(judge(moments, [])) == [(2, text)]


def test_a_raise_that_the_router_overtook_is_not_measured() -> None:
    moments = history((0, 0, 0), (100, 10, 0), (110, 20, 0), (130, 20, 20))
    assert judge(moments, []).raises == pytest.approx([0.02])


def test_nothing_seen_is_nothing_broken() -> None:
    assert judge([], []).kept
