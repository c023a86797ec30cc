"""A canary's share out of a list of weighted destinations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class RouterError(ValueError):
    """A router object does not say what the canary's share is; the message says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a router object says: a share (a percentage 0-100) and what it still waits for.

    `unsettled` is empty once the data plane has accepted the object; until then a share
    counts for lowering, never for raising.
    """

    share: int
    unsettled: str = ""


def share_of(canary: str, weights: Iterable[tuple[str, int]]) -> int:
    """The percentage that destinations named `canary` get, rounded down.

    Rounded down because the client share must never be above the router's.

    Raises:
        RouterError: the canary is not among the destinations, or a weight is negative.
    """
    destinations = list(weights)
    if not any(name == canary for name, _ in destinations):
        known = ", ".join(name for name, _ in destinations) or "none"
        raise RouterError(f"no destination is {canary} (there: {known})")
    if any(weight < 0 for _, weight in destinations):
        raise RouterError("a weight is negative")
    total = sum(weight for _, weight in destinations)
    wanted = sum(weight for name, weight in destinations if name == canary)
    return wanted * 100 // total if total else 0


def least(shares: Sequence[int], what: str) -> int:
    """The lowest of several rules' shares: safe whichever rule a request meets.

    Raises:
        RouterError: there is no rule.
    """
    if not shares:
        raise RouterError(f"it has no {what} for ordinary traffic")
    return min(shares)
