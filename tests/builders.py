"""Small values for tests: each with the defaults of an ordinary rollout at 25 %."""

from typing import Any

from webhook import kinds
from webhook.canary import Brakes, Canary, Phase
from webhook.kinds import Name
from webhook.reasons import Reason
from webhook.routers import Reading
from webhook.targets import BrokenTarget, Ceiling, Mode, Target
from webhook.view import Event, InvalidCanary, Missing, Problem, View

REF = Name("test", "web")
NOW = 1_800_000_000.0


def a_canary(**changes: Any) -> Canary:
    values: dict[str, Any] = {
        "ref": REF,
        "apex": "web",
        "target": Name("test", "web"),
        "target_kind": kinds.DEPLOYMENT,
        "provider": "gatewayapi:v1",
        "uid": "u-1",
        "phase": Phase.PROGRESSING,
        "interval": 10.0,
        "last_applied_spec": "abc123",
        "last_transition": NOW - 60,
    }
    return Canary(**{**values, **changes})


def an_invalid_canary(**brakes: Any) -> InvalidCanary:
    message = "Canary test/web: spec.targetRef.kind is Job"
    return InvalidCanary(Reason.CANARY_INVALID, message, Brakes(**brakes))


def a_target(share: int = 25, **changes: Any) -> Target:
    values: dict[str, Any] = {
        "name": Name("test", "canary-vars"),
        "version": "7",
        "share": share,
        "text": str(share),
        "has_ceiling": changes.get("ceiling") is not None,
    }
    return Target(**{**values, **changes})


def a_verify_target(share: int = 25) -> Target:
    return a_target(share, name=Name("test", "canary-settings"), mode=Mode.VERIFY)


def a_ceiling(age: float = 1.0, value: int = 0) -> Ceiling:
    return Ceiling(value, written=NOW - age, announced=NOW - age)


def a_view(**changes: Any) -> View:
    values: dict[str, Any] = {
        "ref": REF,
        "now": NOW,
        "canary": a_canary(),
        "targets": (a_target(),),
        "running": True,
        "router": Reading(25),
    }
    return View(**{**values, **changes})


def an_event(message: str = "Routing all traffic to primary", at: float = NOW) -> Event:
    return Event(message, at)


__all__ = [
    "NOW", "REF", "Brakes", "BrokenTarget", "Ceiling", "Event", "Missing", "Mode", "Phase",
    "Problem", "Reading", "a_canary", "a_ceiling", "a_target", "a_verify_target", "a_view",
    "an_event", "an_invalid_canary",
]  # fmt: skip
