import json

import pytest

from tests.builders import (
    REF,
    Brakes,
    BrokenTarget,
    Missing,
    Phase,
    Problem,
    Reading,
    a_canary,
    a_ceiling,
    a_target,
    a_verify_target,
    a_view,
    an_invalid_canary,
)
from webhook import status
from webhook.checks import Outcome
from webhook.kinds import Name
from webhook.policy import decide
from webhook.reasons import Reason
from webhook.status import Standing
from webhook.view import View

HEAD = "NAMESPACE  NAME  PHASE        ROUTED  CLIENT  DESIRED  IN STEP  BRAKES"
INVALID = an_invalid_canary(cap=10)
BROKEN = BrokenTarget(Name("test", "broken"), "it has no data key")


def standing(**changes: object) -> Standing:
    view: View = a_view(**changes)
    return status.standing(Outcome(view, decide(view)))


def cells(it: Standing) -> dict[str, str]:
    """The one row of a table, by its columns."""
    head, row = status.table([it]).splitlines()[:2]
    names = ["NAMESPACE", "NAME", "PHASE", "ROUTED", "CLIENT", "DESIRED", "IN STEP", "BRAKES"]
    starts = [head.index(name) for name in names]
    ends = [*starts[1:], None]
    return {n: row[a:b].strip() for n, a, b in zip(names, starts, ends, strict=True)}


def test_a_canary_in_step_is_one_line() -> None:
    row = "test       web   Progressing  25%     25%     25%      yes      -"
    assert status.table([standing()]).splitlines() == [HEAD, row]


HELD = a_canary(brakes=Brakes(hold=True, rollback=True, cap=10))
WRONG_CAP = a_canary(brakes=Brakes(cap_error="annotation lockstep/cap is 'x'"))
CASES = {
    "raised yet to come": ({"targets": (a_target(10),)}, {"CLIENT": "10%", "DESIRED": "25%"}),
    "out of step": ({"targets": (a_target(10),)}, {"IN STEP": "no: OutOfStep"}),
    "targets differ": (
        {"targets": (a_target(25), a_verify_target(10))},
        {"CLIENT": "25%, 10%", "IN STEP": "no: OutOfStep"},
    ),
    "a broken target": (
        {"targets": (a_target(25), BROKEN)},
        {"CLIENT": "25%, ?", "IN STEP": "no: TargetInvalid"},
    ),
    "no target": ({"targets": ()}, {"CLIENT": "-", "IN STEP": "-", "DESIRED": "25%"}),
    "the router is missing": (
        {"router": Missing("HTTPRoute test/web")},
        {"ROUTED": "?", "DESIRED": "?", "IN STEP": "no: RouterUnreadable"},
    ),
    "no pod of it runs": ({"running": False, "targets": (a_target(0),)}, {"DESIRED": "0%"}),
    "brakes": (
        {"canary": HELD, "targets": (a_target(10),)},
        {"BRAKES": "hold rollback cap=10", "DESIRED": "10%", "IN STEP": "yes"},
    ),
    "a cap of 0": ({"canary": a_canary(brakes=Brakes(cap=0))}, {"BRAKES": "cap=0"}),
    "a wrong cap": ({"canary": WRONG_CAP}, {"BRAKES": "cap=?", "IN STEP": "yes"}),
    "a ceiling": (
        {"targets": (a_target(0, ceiling=a_ceiling()),), "router": Reading(25)},
        {"DESIRED": "0%", "IN STEP": "yes"},
    ),
    "a new Canary": ({"canary": a_canary(phase=Phase.NEW)}, {"PHASE": "-"}),
    "an invalid Canary": (
        {"canary": INVALID, "router": INVALID},
        {"PHASE": "?", "ROUTED": "?", "IN STEP": "no: CanaryInvalid", "BRAKES": "cap=10"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_columns(changes: dict[str, object], expected: dict[str, str]) -> None:
    shown = cells(standing(**changes))
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"targets": (a_target(10),)}, "OutOfStep: the share should be 25 %"),
        ({"canary": WRONG_CAP}, "BrakeInvalid: annotation lockstep/cap is 'x'"),
        (CASES["a ceiling"][0], "CeilingInForce: Flagger announced a step down to 0 %"),
    ],
)
def test_what_is_wrong_stands_below_the_table(changes: dict[str, object], reason: str) -> None:
    assert f"\n\ntest/web: {reason}" in status.table([standing(**changes)])


def test_what_is_wrong_with_many_is_said_once() -> None:
    problem = Problem(Reason.CLUSTER_FORBIDDEN, "list configmaps in test: forbidden")
    both = [status.unread(REF, problem), status.unread(Name("test", "shop"), problem)]
    text = status.table(both)
    assert text.endswith(
        "\n\ntest/web, test/shop: ClusterForbidden: list configmaps in test: forbidden"
    )
    assert cells(both[0])["IN STEP"] == "?: ClusterForbidden"


def test_a_narrow_terminal_gets_the_reasons_below_only() -> None:
    it = standing(targets=(a_target(10),))
    wide, narrow = status.table([it], 200), status.table([it], 75)
    assert "no: OutOfStep" in wide
    assert "no: OutOfStep" not in narrow
    assert "OutOfStep: the share" in narrow
    assert max(map(len, narrow.splitlines())) <= 75


def test_without_a_terminal_no_line_is_broken() -> None:
    it = standing(targets=(a_target(10), BROKEN))
    assert len(status.table([it]).splitlines()) == 4


def test_a_command_is_never_broken() -> None:
    command = "  lockstep cap frontend 0 -n shop"
    assert status.wrapped(command, 10) == command


def test_the_json_has_every_fact() -> None:
    canary = a_canary(brakes=Brakes(hold=True, cap=30))
    it = standing(canary=canary, targets=(a_target(25), a_verify_target(10), BROKEN))
    document = json.loads(status.document([it]))
    faults = "ConfigMap test/broken: it has no data key"
    assert document == {
        "canaries": [
            {
                "namespace": "test",
                "canary": "web",
                "phase": "Progressing",
                "routed": 25,
                "desired": 25,
                "ceiling": None,
                "in_step": False,
                "targets": [
                    {"configmap": "canary-vars", "mode": "write", "share": 25},
                    {"configmap": "canary-settings", "mode": "verify", "share": 10},
                    {"configmap": "broken", "mode": None, "share": None},
                ],
                "hold": True,
                "rollback": False,
                "cap": 30,
                "problems": [{"reason": "TargetInvalid", "message": faults}],
            }
        ]
    }


def test_the_json_of_what_could_not_be_read_has_the_same_fields() -> None:
    problem = Problem(Reason.CLUSTER_UNAVAILABLE, "no answer")
    documents = json.loads(status.document([standing(), status.unread(REF, problem)]))
    read, unread = documents["canaries"]
    assert read.keys() == unread.keys()
    assert (unread["in_step"], unread["phase"]) == (None, None)
    assert unread["problems"] == [{"reason": "ClusterUnavailable", "message": "no answer"}]
