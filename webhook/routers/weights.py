"""A canary's share out of a list of weighted destinations."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WHOLE = re.compile(r"[0-9]{1,9}")


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


def share_where_0_is_omitted(canary: str, weights: Sequence[tuple[str, int]]) -> int:
    """As `share_of`, of a router whose objects leave out the weight 0.

    Raises:
        RouterError: as `share_of`; or there is no weight at all, which routers take for an even
            split and Flagger never writes.
    """
    share = share_of(canary, weights)
    if not any(weight for _, weight in weights):
        raise RouterError("no destination has a weight")
    return share


def whole(what: str, value: str | None) -> int:
    """A weight that is written as text.

    Raises:
        RouterError: it is absent or no whole number.
    """
    if value is None or not _WHOLE.fullmatch(value):
        raise RouterError(f"{what} is {value!r}, not a whole number")
    return int(value)
