from typing import Any

import pytest

from webhook import brakes
from webhook.brakes import Brake, Change
from webhook.canary import Brakes

HOLD = Change(Brake.HOLD, "true")
OFF = Change(Brake.HOLD, None)
CAP = Change(Brake.CAP, "10")


def an_object(managed: Any = None, **annotations: str) -> dict[str, Any]:
    keys = {f"lockstep/{name}": value for name, value in annotations.items()}
    metadata = {"resourceVersion": "7", "annotations": keys, "managedFields": managed or []}
    return {"metadata": metadata}


def managed_by(manager: str, operation: str, brake: Brake = Brake.HOLD) -> list[Any]:
    fields: Any = {"f:metadata": {"f:annotations": {f"f:lockstep/{brake}": {}}}}
    return [{"manager": manager, "operation": operation, "fieldsV1": fields}]


def test_a_change_is_a_patch_onto_the_version_that_was_read() -> None:
    assert HOLD.patch(an_object()) == {
        "metadata": {"resourceVersion": "7", "annotations": {"lockstep/hold": "true"}}
    }


def test_to_take_a_brake_off_is_to_remove_its_annotation() -> None:
    patch: Any = OFF.patch(an_object(hold="true"))
    assert patch["metadata"]["annotations"] == {"lockstep/hold": None}


@pytest.mark.parametrize(
    ("change", "annotations", "told"),
    [
        (HOLD, {}, "lockstep/hold is now true (was not set)"),
        (HOLD, {"hold": "yes"}, "lockstep/hold is now true (was yes)"),
        (HOLD, {"hold": "true"}, "lockstep/hold is already true; nothing was written"),
        (OFF, {"hold": "true"}, "lockstep/hold is taken off (was true)"),
        (OFF, {"hold": ""}, "lockstep/hold is taken off (was )"),
        (OFF, {}, "lockstep/hold is not set; nothing was written"),
        (CAP, {"cap": "20"}, "lockstep/cap is now 10 (was 20)"),
        (CAP, {"hold": "true"}, "lockstep/cap is now 10 (was not set)"),
    ],
)
def test_what_a_change_does_is_told(change: Change, annotations: dict[str, str], told: str) -> None:
    assert change.told(an_object(**annotations)) == told
    assert change.done(an_object(**annotations)) == told.endswith("nothing was written")


@pytest.mark.parametrize(
    ("change", "obj", "warning"),
    [
        (OFF, an_object(managed_by("kustomize-controller", "Apply"), hold="true"), "in Git"),
        (CAP, an_object(managed_by("flux", "Apply", Brake.CAP), cap="20"), "flux applies"),
        (HOLD, an_object(managed_by("kubectl-annotate", "Update"), hold="true"), "removes it"),
        (HOLD, an_object(managed_by("lockstep", "Update"), hold="true"), None),
        (HOLD, an_object(managed_by("kustomize-controller", "Apply"), hold="true"), None),
        (OFF, an_object(managed_by("kubectl-annotate", "Update"), hold="true"), None),
        (OFF, an_object(managed_by("kustomize-controller", "Apply")), None),
        (HOLD, an_object(managed_by("kustomize-controller", "Apply", Brake.CAP)), None),
        (HOLD, an_object(), None),
    ],
)
def test_who_will_undo_a_change_is_named(
    change: Change, obj: dict[str, Any], warning: str | None
) -> None:
    told = brakes.rival(change, obj)
    assert (told is None) == (warning is None)
    assert warning is None or warning in str(told)


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (Brakes(), []),
        (Brakes(hold=True, rollback=True, cap=0), ["hold", "rollback", "cap=0"]),
        (Brakes(cap_error="it is wrong"), ["cap=?"]),
    ],
)
def test_brakes_that_are_on_are_a_word_each(on: Brakes, words: list[str]) -> None:
    assert brakes.shown(on) == words
