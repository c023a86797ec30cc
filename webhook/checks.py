"""The checks that a hook's answer is made of: each finds one problem, or none. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webhook import policy
from webhook.reasons import Reason
from webhook.view import Decision, Missing, Problem, View


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished reconcile: the last view, what was decided on it, and which writes failed.

    `lowering_since` is since when Flux has a lowering to render (monotonic seconds), if it has.
    """

    view: View
    decision: Decision
    failures: tuple[Problem, ...] = ()
    lowering_since: float | None = None


Check = Callable[[Outcome], Problem | None]


def held(outcome: Outcome) -> Problem | None:
    """An operator holds Flagger."""
    if not outcome.view.brakes.hold:
        return None
    return Problem(
        Reason.HELD, "annotation lockstep/hold on the Canary is true; remove it to go on"
    )


def rollback_requested(outcome: Outcome) -> Problem | None:
    """An operator asked for a rollback, which would kill the next release at once."""
    if not outcome.view.brakes.rollback:
        return None
    message = "annotation lockstep/rollback on the Canary is true; remove it before a new rollout"
    return Problem(Reason.ROLLBACK_REQUESTED, message)


def no_targets(outcome: Outcome) -> Problem | None:
    """Lockstep steers nothing for this canary."""
    if outcome.view.has_write_target:
        return None
    ref = outcome.view.ref
    message = f"no ConfigMap to write in {ref.namespace} has the label lockstep/canary: {ref.name}"
    return Problem(Reason.NO_TARGETS, message)


def target_invalid(outcome: Outcome) -> Problem | None:
    """A labelled ConfigMap that must not be touched."""
    if not outcome.decision.broken:
        return None
    faults = (f"ConfigMap {target.name}: {target.problem}" for target in outcome.decision.broken)
    return Problem(Reason.TARGET_INVALID, "; ".join(faults))


def unreadable(outcome: Outcome) -> Problem | None:
    """A fact that the desired share depends on could not be read."""
    return policy.unreadable(outcome.view)


def router_missing(outcome: Outcome) -> Problem | None:
    """At rest a missing router means 0; a rollout that is about to start will need it."""
    return outcome.view.router.problem if isinstance(outcome.view.router, Missing) else None


def brake_invalid(outcome: Outcome) -> Problem | None:
    """A cap that does not parse, so that nothing may rise."""
    error = outcome.view.brakes.cap_error
    return Problem(Reason.BRAKE_INVALID, error) if error else None


def ceiling_in_force(outcome: Outcome) -> Problem | None:
    """Flagger is about to step down."""
    ceiling = outcome.decision.ceiling
    if ceiling is None:
        return None
    message = f"Flagger announced a step down to {ceiling.value} %; its router is not there yet"
    return Problem(Reason.CEILING_IN_FORCE, message)


def write_failed(outcome: Outcome) -> Problem | None:
    """The API server refused a write, and it mattered."""
    return outcome.failures[0] if outcome.failures and not outcome.decision.in_step else None


def out_of_step(outcome: Outcome) -> Problem | None:
    """A target does not hold the desired share."""
    decision = outcome.decision
    if decision.in_step:
        return None
    if decision.blocked and not decision.above:
        return decision.blocked
    shares = ", ".join(f"ConfigMap {it.name} has {it.share} %" for it in decision.off)
    return Problem(Reason.OUT_OF_STEP, f"the share should be {decision.limit} %; {shares}")


def not_synced(outcome: Outcome) -> Problem | None:
    """What keeps the targets from the desired share, its cause before the effect."""
    return first((target_invalid, unreadable, write_failed, out_of_step), outcome)


def still_above(outcome: Outcome) -> Problem | None:
    """A lowering that did not get through; the one thing that Flagger must not overtake."""
    above = outcome.decision.above
    if not above or not outcome.view.has_write_target:
        return None
    if outcome.failures:
        return outcome.failures[0]
    shares = ", ".join(f"ConfigMap {it.name} still has {it.share} %" for it in above)
    message = f"the share must fall to {outcome.decision.limit} %; {shares}"
    return Problem(Reason.DEADLINE_EXCEEDED, message)


def first(checks: Sequence[Check], outcome: Outcome) -> Problem | None:
    """The first violation."""
    return next((problem for check in checks if (problem := check(outcome))), None)
