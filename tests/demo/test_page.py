"""What the demo shows, in a terminal and in a log."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from webhook.demo import report
from webhook.demo.moments import Moment
from webhook.demo.operator import Operator, layout
from webhook.demo.page import Page, Scene, table
from webhook.demo.recording import HookRow, Recording
from webhook.demo.replay import Answer, Replay
from webhook.demo.report import Result
from webhook.demo.store import Store
from webhook.demo.verdict import Fall, Verdict, Violation
from webhook.gates import Hook
from webhook.kinds import Name

WEB = Name("test", "web")
NEWS = "25 → 50 %: Flagger “Advance web.test canary weight 50”"


def console(width: int = 100) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(hook: Hook = Hook.EVENT, answer: int = 200, line: int = 1) -> HookRow:
    return HookRow(line, 0.0, hook, {"namespace": "test", "name": "web"}, answer)


def scene(routed: int | None = 50, client: int | None = 50, done: int = 1) -> Scene:
    recording = Recording("primary-never-ready", WEB, (row(), row()))
    store = Store()
    operator = Operator(store, WEB, layout(WEB, as_json=False))
    replay = Replay(recording, operator, store, "http://127.0.0.1:1", frozenset(Hook), done=done)
    return Scene(replay, [Moment(1, 0.0, "WaitingPromotion", routed, client)], NEWS)


@pytest.mark.parametrize(
    ("width", "news"), [(80, f"{NEWS[:19]}…"), (100, f"{NEWS[:39]}…"), (140, NEWS)]
)
def test_a_row_fits_the_terminal_and_keeps_what_matters(width: int, news: str) -> None:
    shown = console(width)
    shown.print(table([scene()], 12.3))
    lines = printed(shown)
    assert max(map(len, lines)) <= width
    start = "primary-never-ready WaitingPromotion   50 %   50 %  "
    assert lines[3].strip().startswith(start + news)
    assert lines[3].endswith(" 50 %")


@pytest.mark.parametrize(
    ("routed", "client", "style"),
    [(50, 50, "green"), (50, 25, "yellow"), (25, 50, "bold red"), (50, None, "red")],
)
def test_the_client_share_has_the_colour_of_its_meaning(
    routed: int | None, client: int | None, style: str
) -> None:
    cell = next(iter(table([scene(routed, client)], 0).columns[3].cells))
    assert isinstance(cell, Text)
    assert cell.style == style


def test_without_a_terminal_each_change_is_a_line() -> None:
    log, shown = console(), scene(0, 0)
    with Page(log, [shown]) as page:
        page.show(1)
        page.show(2)
        shown.moments.append(Moment(2, 0.0, "Progressing", 25, 0))
        page.show(3)
    assert [line.split()[0] for line in printed(log)] == ["1.0", "3.0"]
    assert printed(log)[1].endswith(f"Progressing       routed  25 %  client   0 %  {NEWS}")


GOOD = Result(
    "success",
    Verdict(raises=(0.007, 0.03), falls=(Fall(5, True, -0.04), Fall(9, False, 0.012))),
    (Answer(row(), 0.0, 200, "Synced"),),
)
KNOWN = Result(
    "failed-checks", Verdict(), (Answer(row(Hook.ROLLOUT, 403, 33), 0.0, 200, "Synced"),)
)
BROKEN = Result("steps", Verdict((Violation(7, "raised to 50 % while 25 % was routed"),)), ())
DIFFERENT = Result(
    "steps", Verdict(), (Answer(row(Hook.CONFIRM_PROMOTION, 200, 8), 0.0, 403, "OutOfStep"),)
)
BROKEN_OFF = Result("steps", Verdict(), (), "row 3: connection refused")


def shown(*results: Result) -> list[str]:
    screen = console(80)
    report.show(screen, results)
    return printed(screen)


def test_the_report_measures_and_concludes() -> None:
    lines = shown(GOOD)
    row = " success   2: 18/30 ms  1: 40 ms   1: 12 ms  0 %   1 ✓      kept"
    assert row in lines
    assert " ".join(lines).endswith(
        " ✓ The law was kept in 1 scenario: browsers fell before the router in 1 announced fall, "
        "at most 12 ms after the router (250 ms allowed) in 1 unannounced fall."
    )


def test_the_conclusion_is_a_sentence_without_announcements_too() -> None:
    followed = Result("deleted", Verdict(falls=(Fall(9, False, 0.012), Fall(11, False, 0.0))), ())
    assert str(report.conclusion([followed])) == (
        "✓ The law was kept in 1 scenario: browsers fell at most 12 ms after the router "
        "(250 ms allowed) in 2 unannounced falls."
    )


def test_a_refusal_by_another_webhook_is_a_known_difference() -> None:
    assert KNOWN.good
    assert "failed-checks: row 33: rollout was answered 200 Synced, not 403: known" in " ".join(
        shown(KNOWN)
    )


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (BROKEN, "steps: at revision 7: raised to 50 % while 25 % was routed"),
        (DIFFERENT, "steps: row 8: confirm-promotion was answered 403 OutOfStep, not 200"),
        (BROKEN_OFF, "steps: row 3: connection refused"),
    ],
)
def test_what_went_wrong_is_said_exactly(result: Result, fault: str) -> None:
    assert not result.good
    lines = shown(GOOD, result)
    assert fault in lines
    assert lines[-1] == "✗ 1 of 2 scenarios went wrong: steps."


@pytest.mark.parametrize(
    ("hook", "recorded", "status", "known"),
    [
        (Hook.ROLLOUT, 403, 200, True),
        (Hook.ROLLOUT, 403, 503, False),
        (Hook.ROLLOUT, 200, 403, False),
        (Hook.CONFIRM_PROMOTION, 403, 200, False),
    ],
)
def test_only_a_refusal_of_rollout_may_differ(
    hook: Hook, recorded: int, status: int, known: bool
) -> None:
    answer = Answer(row(hook, recorded), 0.0, status, "")
    assert not answer.as_recorded
    assert answer.known_difference is known
