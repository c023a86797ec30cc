"""The decision: from what was read of one canary to the number that browsers may be given.

`decide` is the law: the client share is never above what the router routes, never above a
ceiling or a cap, and 0 unless the canary runs. It is pure: the reconciler reads, calls it, and
writes what it says. What a hook is answered from there stands in `gates`.
"""

import math
from enum import StrEnum

from webhook.canary import Canary, Phase
from webhook.reasons import Reason
from webhook.routers import Reading
from webhook.targets import BrokenTarget, Ceiling, Mode, Target
from webhook.view import Decision, Missing, Problem, View, Write

LEAST_CEILING_LIFE = 30.0
"""Seconds that a ceiling holds, unless the router catches up before or the interval is long."""

TICK_SLACK = 10.0
"""Seconds that a ceiling outlives Flagger's next tick, which repeats what it still means."""


def decide(view: View) -> Decision:
    """What the targets of one canary must hold now."""
    ceiling = _ceiling(view)
    bound = _bound(view, ceiling)
    desired = _desired(view, bound)
    limit = _limit(view, bound, desired)
    blocked = unreadable(view) or _unsettled(view) or _invalid_cap(view)
    targets = [target for target in view.targets if isinstance(target, Target)]
    writes = (_write(view, target, limit, ceiling, blocked) for target in targets)
    return Decision(
        routed=_routed(view),
        desired=desired,
        limit=limit,
        ceiling=ceiling,
        blocked=blocked,
        writes=tuple(write for write in writes if write),
        off=tuple(target for target in targets if target.share != desired),
        broken=tuple(target for target in view.targets if isinstance(target, BrokenTarget)),
        wake=ceiling.written + _life(view) - view.now if ceiling else None,
    )


def _desired(view: View, bound: int) -> int | None:
    """The number for every target, None where it cannot be known: keep, and never raise."""
    if not _serving(view):
        return 0  # whatever the router says: no pod of the canary answers
    routed = _routed(view)
    return None if routed is None or unreadable(view) else min(routed, bound)


def _limit(view: View, bound: int, desired: int | None) -> int:
    """What no target may be above; known also where the desired share is not."""
    if desired is not None:
        return desired
    return min(bound, view.router.share) if isinstance(view.router, Reading) else bound


def _serving(view: View) -> bool:
    """Whether the canary may answer requests: no only where we know so."""
    if view.canary is None:
        return False
    if isinstance(view.canary, Canary) and (view.canary.deleting or view.canary.before_first):
        return False
    return view.running is not False


def _routed(view: View) -> int | None:
    if isinstance(view.router, Reading):
        return view.router.share
    return None if unreadable(view) else 0  # Flagger has not yet made its router object


def _bound(view: View, ceiling: Ceiling | None) -> int:
    cap = view.brakes.cap
    return min(100, 100 if cap is None else cap, ceiling.value if ceiling else 100)


def _write(
    view: View, target: Target, limit: int, ceiling: Ceiling | None, blocked: Problem | None
) -> Write | None:
    share = min(target.share, limit) if blocked else limit
    release = view.canary.last_applied_spec if isinstance(view.canary, Canary) else ""
    if target.mode is Mode.VERIFY:  # Flux's to write, until it fails to bring a lowering through
        lowering = view.overdue and view.has_write_target and share < target.share
        return Write(target, share, release) if lowering else None
    if share != target.share:
        return Write(target, share, release, ceiling)
    # A new ceiling is written even where the number stays, so that a concurrent raise conflicts.
    # The release is not: before the first raise, lastAppliedSpec still names the previous one.
    changed = ceiling != target.ceiling or bool(ceiling) != target.has_ceiling
    return Write(target, share, "", ceiling) if changed else None


def unreadable(view: View) -> Problem | None:
    """The first fact that the desired share depends on and that could not be read."""
    if view.canary is None:
        return None
    for fact in (view.canary, view.running, view.router):
        if isinstance(fact, Problem):
            return fact
    under_way = isinstance(view.canary, Canary) and view.canary.under_way
    return view.router.problem if isinstance(view.router, Missing) and under_way else None


def _unsettled(view: View) -> Problem | None:
    if not isinstance(view.router, Reading) or not view.router.unsettled:
        return None
    return Problem(Reason.ROUTER_UNSETTLED, view.router.unsettled)


def _invalid_cap(view: View) -> Problem | None:
    error = view.brakes.cap_error
    return Problem(Reason.BRAKE_INVALID, error) if error else None


class Announced(StrEnum):
    """What an event's message starts with that Flagger sends before it moves the router to 0."""

    TO_PRIMARY = "Routing all traffic to primary"
    ROLLING_BACK = "Rolling back "
    RESTARTING = "New revision detected! Restarting analysis"


_IMPOSSIBLE = {
    Announced.TO_PRIMARY: set(Phase) - {Phase.PROMOTING, Phase.UNKNOWN},
    Announced.ROLLING_BACK: {
        Phase.INITIALIZING, Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED,
    },
    Announced.RESTARTING: set(Phase) - {
        Phase.PROGRESSING, Phase.WAITING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.UNKNOWN,
    },
}  # fmt: skip


def _ceiling(view: View) -> Ceiling | None:
    """The ceiling in force: an announcement's, else the one that stands on the targets.

    It ends when the router is seen at or below it, and when Flagger's silence outlasts it.
    """
    standing = _standing(view)
    ceiling = _announced(view, standing) or standing
    if ceiling is None or view.canary is None:
        return None
    routed = _routed(view)
    return None if routed is not None and routed <= ceiling.value else ceiling


def _standing(view: View) -> Ceiling | None:
    """The lowest ceiling that still lives; of equal ones the latest."""
    steered = (it for it in view.targets if isinstance(it, Target) and it.mode is Mode.WRITE)
    # On both sides: a time from the future is a broken clock's, and must not bind for ever.
    living = (
        target.ceiling
        for target in steered
        if target.ceiling and abs(view.now - target.ceiling.written) < _life(view)
    )
    return min(living, key=lambda it: (it.value, -it.announced, -it.written), default=None)


def _announced(view: View, standing: Ceiling | None) -> Ceiling | None:
    """The ceiling that the event sets; None if it sets none, is stale, repeated or impossible."""
    if not view.event or view.canary is None:
        return None
    kind = next((it for it in Announced if view.event.message.startswith(it)), None)
    if kind is None or (standing and view.event.at <= standing.announced):
        return None
    # What an invalid Canary could contradict is not known, so there an announcement counts.
    if isinstance(view.canary, Canary) and _contradicted(kind, view.event.at, view.canary):
        return None
    return Ceiling(0, written=view.now, announced=view.event.at)


def _contradicted(kind: Announced, at: float, canary: Canary) -> bool:
    """Whether the Canary is in a phase that cannot announce it, or went on since."""
    # The last transition has whole seconds only.
    return canary.phase in _IMPOSSIBLE[kind] or math.floor(at) < canary.last_transition


def _life(view: View) -> float:
    interval = view.canary.interval if isinstance(view.canary, Canary) else 0.0
    return max(LEAST_CEILING_LIFE, interval + TICK_SLACK)
