"""What Flagger is answered: each hook is a list of checks, and the first one violated wins.

Pure, like `policy`. A gate that refuses says why in one word (`Reason`) and one sentence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from webhook import checks
from webhook.canary import Canary, Phase
from webhook.checks import Check, Outcome
from webhook.reasons import Reason
from webhook.view import Problem


class Hook(StrEnum):
    """Flagger's webhook types, which are also the paths they are served on."""

    CONFIRM_ROLLOUT = "confirm-rollout"
    PRE_ROLLOUT = "pre-rollout"
    ROLLOUT = "rollout"
    CONFIRM_TRAFFIC_INCREASE = "confirm-traffic-increase"
    CONFIRM_PROMOTION = "confirm-promotion"
    ROLLBACK = "rollback"
    POST_ROLLOUT = "post-rollout"
    EVENT = "event"

    @property
    def waits_for_raise(self) -> bool:
        """Whether the answer depends on a raise being rendered, so that it is worth a wait."""
        return self in _CONFIRMS


_CONFIRMS = {Hook.CONFIRM_ROLLOUT, Hook.CONFIRM_TRAFFIC_INCREASE, Hook.CONFIRM_PROMOTION}


class Answer(Enum):
    """How a hook ends; the web layer gives each its status code."""

    APPROVED = "approved"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a hook is answered, and why."""

    answer: Answer
    reason: Reason
    message: str

    @property
    def approved(self) -> bool:
        """Whether Flagger may go on; on `/rollback`, whether it must roll back."""
        return self.answer is Answer.APPROVED


def verdict(hook: Hook, outcome: Outcome) -> Verdict:
    """The answer to a hook after the reconcile that it caused."""
    if outcome.view.canary is None:
        return _unknown(hook, outcome)
    return _HOOKS[hook](outcome)


def unavailable(hook: Hook, problem: Problem) -> Verdict:
    """The answer when the cluster cannot be read at all.

    Flagger retries a gate; a failed `/pre-rollout` or `/rollout` would cost a failed check, and
    anything but a refusal of `/rollback` would roll back.
    """
    answers = {
        Hook.PRE_ROLLOUT: Answer.APPROVED,
        Hook.ROLLOUT: Answer.APPROVED,
        Hook.ROLLBACK: Answer.REFUSED,
    }
    return Verdict(answers.get(hook, Answer.FAULT), problem.reason, problem.message)


def observed(hook: Hook, would_be: Verdict) -> Verdict:
    """The answer in observe mode: never in Flagger's way, and never asking it to roll back."""
    if hook is Hook.ROLLBACK:
        message = "observe mode: Lockstep asks for no rollback"
        return Verdict(Answer.REFUSED, Reason.OBSERVING, message)
    if would_be.approved:
        return would_be
    message = f"observe mode: would have answered {would_be.reason}: {would_be.message}"
    return Verdict(Answer.APPROVED, Reason.OBSERVING, message)


_BEFORE_ROLLOUT: Sequence[Check] = (
    checks.no_targets,
    checks.target_invalid,
    checks.unreadable,
    checks.router_missing,
    checks.brake_invalid,
    checks.held,
    checks.rollback_requested,
    checks.not_synced,
)


def _confirm_rollout(outcome: Outcome) -> Verdict:
    if problem := checks.first(_BEFORE_ROLLOUT, outcome):
        return _refused(problem)
    if isinstance(outcome.view.canary, Canary) and outcome.view.canary.unweighted:
        message = "browsers will not see this canary: no weight applies to ordinary traffic"
        return Verdict(Answer.APPROVED, Reason.BROWSERS_EXCLUDED, message)
    return Verdict(Answer.APPROVED, Reason.READY, f"the client layer is ready; {_state(outcome)}")


_IN_STEP: Sequence[Check] = (checks.brake_invalid, checks.ceiling_in_force, checks.not_synced)


def _confirm_in_step(outcome: Outcome) -> Verdict:
    if problem := checks.held(outcome):
        return _refused(problem)
    if not outcome.view.has_write_target:
        message = "no ConfigMap to write: there is no client layer to hold Flagger for"
        return Verdict(Answer.APPROVED, Reason.NO_WRITE_TARGET, message)
    if problem := checks.first(_IN_STEP, outcome):
        return _refused(problem)
    return Verdict(Answer.APPROVED, Reason.IN_STEP, _state(outcome))


def _pre_rollout(outcome: Outcome) -> Verdict:
    """Only what time cannot cure is refused: a refusal here costs Flagger's user a failed check."""
    if problem := checks.first((checks.no_targets, checks.target_invalid), outcome):
        return _refused(problem)
    return _always(outcome)


def _always(outcome: Outcome) -> Verdict:
    if problem := checks.not_synced(outcome):
        return Verdict(Answer.APPROVED, problem.reason, problem.message)
    return Verdict(Answer.APPROVED, Reason.SYNCED, _state(outcome))


def _lowered(outcome: Outcome) -> Verdict:
    """For `/event` and `/post-rollout`: after our answer Flagger takes traffic or pods away."""
    if problem := checks.still_above(outcome):
        return Verdict(Answer.FAULT, problem.reason, problem.message)
    return _always(outcome)


def _rollback(outcome: Outcome) -> Verdict:
    if not outcome.view.brakes.rollback:
        message = "annotation lockstep/rollback on the Canary is not true: no rollback"
        return Verdict(Answer.REFUSED, Reason.NO_ROLLBACK_REQUESTED, message)
    canary = outcome.view.canary
    if isinstance(canary, Canary) and canary.phase in {Phase.PROMOTING, Phase.FINALISING}:
        message = f"the Canary is {canary.phase}: the primary already runs the new revision"
        return Verdict(Answer.REFUSED, Reason.ROLLBACK_TOO_LATE, message)
    message = "annotation lockstep/rollback on the Canary is true: Flagger rolls back"
    return Verdict(Answer.APPROVED, Reason.ROLLBACK_APPROVED, message)


_HOOKS: dict[Hook, Callable[[Outcome], Verdict]] = {
    Hook.CONFIRM_ROLLOUT: _confirm_rollout,
    Hook.PRE_ROLLOUT: _pre_rollout,
    Hook.ROLLOUT: _always,
    Hook.CONFIRM_TRAFFIC_INCREASE: _confirm_in_step,
    Hook.CONFIRM_PROMOTION: _confirm_in_step,
    Hook.ROLLBACK: _rollback,
    Hook.POST_ROLLOUT: _lowered,
    Hook.EVENT: _lowered,
}


def _unknown(hook: Hook, outcome: Outcome) -> Verdict:
    message = f"there is no Canary {outcome.view.ref}"
    if hook not in (Hook.EVENT, Hook.POST_ROLLOUT):
        return Verdict(Answer.UNKNOWN, Reason.UNKNOWN_CANARY, message)
    if problem := checks.still_above(outcome):
        return Verdict(Answer.FAULT, problem.reason, problem.message)
    return Verdict(Answer.APPROVED, Reason.UNKNOWN_CANARY, message)  # they outlive the Canary


def _refused(problem: Problem) -> Verdict:
    return Verdict(Answer.REFUSED, problem.reason, problem.message)


def _state(outcome: Outcome) -> str:
    targets = len(outcome.view.targets)
    noun = "ConfigMap has" if targets == 1 else "ConfigMaps have"
    return f"{targets} {noun} the desired share of {outcome.decision.limit} %"
