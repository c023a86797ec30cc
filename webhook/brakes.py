"""The brakes: annotations on a Canary by which an operator slows it down. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from webhook.canary import Brakes
from webhook.fields import Object, find, objects, required_text, strings, text

OWN_MANAGER = "lockstep"


class Brake(StrEnum):
    """What an operator may ask for; each is also a command."""

    HOLD = "hold"
    CAP = "cap"
    ROLLBACK = "rollback"

    @property
    def annotation(self) -> str:
        """Its key on the Canary."""
        return f"lockstep/{self.value}"


@dataclass(frozen=True, slots=True)
class Change:
    """A brake to set to `value` (`true`, or a percentage 0-100), or with None to take off."""

    brake: Brake
    value: str | None

    def before(self, canary: Object) -> str | None:
        """What the annotation says on this object; None where it is not set."""
        return strings(canary, "metadata", "annotations").get(self.brake.annotation)

    def done(self, canary: Object) -> bool:
        """Whether the object already is as it should become."""
        return self.before(canary) == self.value

    def patch(self, canary: Object) -> Object:
        """The merge patch that makes the change, if nobody wrote the object meanwhile."""
        version = required_text(canary, "metadata", "resourceVersion")
        annotations = {self.brake.annotation: self.value}
        return {"metadata": {"resourceVersion": version, "annotations": annotations}}

    def told(self, canary: Object) -> str:
        """What the change makes of this object, as the rest of a sentence."""
        key, before = self.brake.annotation, self.before(canary)
        if self.done(canary):
            already = f"already {self.value}" if self.value else "not set"
            return f"{key} is {already}; nothing was written"
        if self.value is None:
            return f"{key} is taken off (was {before})"
        return f"{key} is now {self.value} ({'was not set' if before is None else f'was {before}'})"


def shown(brakes: Brakes) -> list[str]:
    """The brakes that are on, in a word each."""
    cap = "cap=?" if brakes.cap_error else f"cap={brakes.cap}"
    on = {
        "hold": brakes.hold,
        "rollback": brakes.rollback,
        cap: brakes.cap is not None or bool(brakes.cap_error),
    }
    return [word for word, is_on in on.items() if is_on]


def rival(change: Change, canary: Object) -> str | None:
    """Who will undo the change, or remove what stands there, and what to do; None for nobody.

    Flux applies again what Git says, and strips what a field manager called kubectl… has set.
    """
    key = change.brake.annotation
    owners = _owners(canary, key)
    for owner, operation in owners.items():
        if operation == "Apply" and not change.done(canary):
            return f"{owner} applies {key} and will set it again: change it there (in Git) too."
        if owner.startswith("kubectl") and change.done(canary) and change.value is not None:
            return (
                f"it was set by {owner}: where Flux applies this Canary, its next reconcile "
                "removes it. Take it off and set it again by this command, to keep it."
            )
    return None


def _owners(canary: Object, annotation: str) -> Mapping[str, str]:
    """The field managers, other than Lockstep, that own an annotation, and by which operation."""
    return {
        text(entry, "manager") or "": text(entry, "operation") or ""
        for entry in objects(canary, "metadata", "managedFields")
        if find(entry, "fieldsV1", "f:metadata", "f:annotations", f"f:{annotation}") is not None
        and text(entry, "manager") != OWN_MANAGER
    }
