"""Where a canary is when a brake is set: its stage, its hooks, its shares. Pure."""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from webhook.canary import Canary, Phase
from webhook.fields import FieldError, Object, find, number, objects, text
from webhook.gates import Hook
from webhook.targets import Target
from webhook.view import Decision, Problem, View


class Stage(Enum):
    """How far a rollout is, as far as Flagger's asking goes."""

    REST = "no rollout"
    WAITING = "not started"
    MOVING = "in its steps"
    AT_END = "before its promotion"
    LATE = "in its promotion"


_STAGES = {
    Phase.WAITING: Stage.WAITING,
    Phase.PROGRESSING: Stage.MOVING,
    Phase.UNKNOWN: Stage.MOVING,
    Phase.WAITING_PROMOTION: Stage.AT_END,
    Phase.PROMOTING: Stage.LATE,
    Phase.FINALISING: Stage.LATE,
}


@dataclass(frozen=True, slots=True)
class Shares:
    """The client shares before a change, and the decision after it."""

    view: View
    decision: Decision

    @property
    def now(self) -> list[int]:
        """Each share once, the lowest first."""
        return sorted({it.share for it in self.view.targets if isinstance(it, Target)})

    @property
    def soon(self) -> list[int]:
        """What they become by the decision."""
        limit = self.decision.limit
        blocked = self.decision.blocked
        return sorted({min(share, limit) if blocked else limit for share in self.now})


@dataclass(frozen=True, slots=True)
class Situation:
    """A Canary after a change: which of Lockstep's hooks Flagger will ask, and the shares."""

    canary: Canary
    hooks: frozenset[Hook]
    suspended: bool
    skips_analysis: bool
    shares: Shares | Problem

    @property
    def stage(self) -> Stage:
        """How far its rollout is."""
        return _STAGES.get(self.canary.phase, Stage.REST)

    @property
    def next_check(self) -> str:
        """When Flagger asks next."""
        return f"at its next check (every {self.canary.interval:g} s)"


def situation(canary: Canary, obj: Object, shares: Shares | Problem) -> Situation:
    """The situation of a Canary, given as read and as parsed.

    Raises:
        FieldError: a hook is not as Flagger's CRD has it.
    """
    skips_analysis = find(obj, "spec", "skipAnalysis") is True
    return Situation(
        canary=canary,
        hooks=_asked(canary, obj, skips_analysis),
        suspended=find(obj, "spec", "suspend") is True,
        skips_analysis=skips_analysis,
        shares=shares,
    )


def _asked(canary: Canary, obj: Object, skips_analysis: bool) -> frozenset[Hook]:
    analysis = find(obj, "spec", "analysis") or find(obj, "spec", "canaryAnalysis")
    hooks = {hook for hook in map(_own, objects(analysis, "webhooks")) if hook}
    if skips_analysis:
        hooks &= {Hook.CONFIRM_ROLLOUT}
    if number(analysis, "iterations") or canary.provider == "kubernetes":
        hooks -= {Hook.CONFIRM_TRAFFIC_INCREASE}
    return frozenset(hooks)


def called(webhook: Object) -> Hook | None:
    """The hook of Lockstep's that a webhook calls: each is served on a path of its name.

    Raises:
        FieldError: the URL is none.
    """
    try:
        path = urlsplit(text(webhook, "url") or "").path
    except ValueError as error:
        raise FieldError(f"url of the webhook {text(webhook, 'name')}: {error}") from error
    end = path.rstrip("/").rpartition("/")[2]
    return Hook(end) if end in list(Hook) else None


def _own(webhook: Object) -> Hook | None:
    """The hook that a webhook of the same type calls."""
    hook = called(webhook)
    return hook if hook == text(webhook, "type") else None
