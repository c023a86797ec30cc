"""What is news: being out of step once it lasts, and in observe mode what would be written."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from webhook.kinds import Name


class Change(Enum):
    """What is worth an Event; the value is its reason."""

    OUT_OF_STEP = "OutOfStep"
    BACK_IN_STEP = "BackInStep"


@dataclass(slots=True)
class Steps:
    """What was told of each canary; only for telling, nothing is decided on it.

    `patience` is for how many seconds it may be so before it is told.
    """

    patience: float
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _off_since: dict[Name, float] = field(default_factory=dict)
    _told: set[Name] = field(default_factory=set)
    _wishes: dict[Name, dict[Name, int]] = field(default_factory=dict)

    def wish(self, ref: Name, shares: Mapping[Name, int]) -> Mapping[Name, int]:
        """Note the share, 0-100, that each target would be given; returns those that are news."""
        with self._lock:
            before = self._wishes.pop(ref, {})
            if shares:
                self._wishes[ref] = dict(shares)
            return {name: share for name, share in shares.items() if before.get(name) != share}

    def see(self, ref: Name, *, in_step: bool) -> Change | None:
        """Note the state of a canary; returns the news if there is any."""
        with self._lock:
            return self._back(ref) if in_step else self._off(ref, time.monotonic())

    def _back(self, ref: Name) -> Change | None:
        self._off_since.pop(ref, None)
        if ref not in self._told:
            return None
        self._told.remove(ref)
        return Change.BACK_IN_STEP

    def _off(self, ref: Name, now: float) -> Change | None:
        since = self._off_since.setdefault(ref, now)
        if ref in self._told or now - since < self.patience:
            return None
        self._told.add(ref)
        return Change.OUT_OF_STEP
