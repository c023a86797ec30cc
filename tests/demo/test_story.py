"""Lockstep's log lines, told in a few words."""

import json

import pytest

from webhook.demo.story import Story, tell
from webhook.kinds import Name

WEB = Name("test", "web")
COMMON: dict[str, object] = {"level": "INFO", "namespace": "test", "canary": "web"}
RAISE: dict[str, object] = {**COMMON, "before": 0, "after": 25, "trigger": "watch"}
REFUSED: dict[str, object] = {
    **COMMON,
    "hook": "confirm-promotion",
    "verdict": "refused",
    "reason": "Held",
    "message": "annotation lockstep/hold on the Canary is true",
}
APPROVED = {**REFUSED, "verdict": "approved", "reason": "InStep", "message": "at 50 %"}
NO_ROLLBACK = {**REFUSED, "hook": "rollback", "reason": "NoRollbackRequested"}
HELD = "confirm-promotion refused: Held, annotation lockstep/hold on the Canary is true"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (RAISE, "0 → 25 %: seen by the watch"),
        (
            {**RAISE, "trigger": "event", "event": "Advance web.test canary weight 25"},
            "0 → 25 %: Flagger “Advance web.test canary weight 25”",
        ),
        (
            {**RAISE, "before": 25, "after": 0, "event": "Rolling back web.test", "ceiling": 0},
            "25 → 0 %: announced “Rolling back web.test”",
        ),
        ({**RAISE, "trigger": "confirm-promotion"}, "0 → 25 %: asked by confirm-promotion"),
        (REFUSED, HELD),
        ({**COMMON, "message": "something else"}, "something else"),
    ],
)
def test_a_line_tells_what_was_done_and_why(entry: dict[str, object], text: str) -> None:
    told = tell(json.dumps(entry))
    assert told is not None
    assert (told.text, told.canary, told.fault) == (text, WEB, False)


def heard(*entries: dict[str, object]) -> Story:
    story = Story()
    for entry in entries:
        story.hear(json.dumps(entry) + "\n")
    return story


@pytest.mark.parametrize("later", [APPROVED, NO_ROLLBACK])
def test_routine_does_not_hide_the_last_change(later: dict[str, object]) -> None:
    assert heard(RAISE, later).latest(WEB) == "0 → 25 %: seen by the watch"


def test_an_approval_replaces_the_refusal_of_the_same_hook_only() -> None:
    assert heard(REFUSED, NO_ROLLBACK).latest(WEB) == HELD
    assert heard(REFUSED, APPROVED).latest(WEB) == "confirm-promotion approved: InStep, at 50 %"


def test_nothing_is_told_of_a_canary_without_news() -> None:
    assert heard(RAISE).latest(Name("test", "app")) == ""


@pytest.mark.parametrize("line", ["Traceback (most recent call last):", "[]", '{"level": "ERROR"}'])
def test_what_is_no_ordinary_line_is_kept_as_a_fault(line: str) -> None:
    story = Story()
    story.hear(f"{line}\n")
    assert story.faults == [line]
