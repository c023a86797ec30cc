"""Which canaries to look at next: each at most once at a time, and never forgotten."""

import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field

from webhook.kinds import Name

_Key = tuple[float, int, Name, str]


@dataclass(slots=True)
class WorkQueue:
    """A queue of canaries with the trigger that brought each there.

    A canary that is added again before it is taken is taken once; one that is added while it is
    being worked on is taken again afterwards, since its work may have read before the change.
    """

    _ready: dict[Name, str] = field(default_factory=dict)
    _working: set[Name] = field(default_factory=set)
    _later: list[_Key] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _closed: bool = False

    def add(self, ref: Name, trigger: str, after: float = 0.0) -> None:
        """Have a worker take the canary, in `after` seconds at the earliest."""
        with self._changed:
            if after > 0:
                key = (time.monotonic() + after, next(self._order), ref, trigger)
                heapq.heappush(self._later, key)
            else:
                self._ready.setdefault(ref, trigger)
            self._changed.notify()

    def take(self) -> tuple[Name, str] | None:
        """The next canary and its trigger, as soon as there is one; None once closed."""
        with self._changed:
            while not self._closed:
                self._ripen()
                for ref, trigger in self._ready.items():
                    if ref not in self._working:
                        del self._ready[ref]
                        self._working.add(ref)
                        return ref, trigger
                self._changed.wait(self._until_next())
            return None

    def done(self, ref: Name) -> None:
        """Say that the work on the canary that was taken is over."""
        with self._changed:
            self._working.discard(ref)
            self._changed.notify()

    def close(self) -> None:
        """Let every worker end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _ripen(self) -> None:
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            _, _, ref, trigger = heapq.heappop(self._later)
            self._ready.setdefault(ref, trigger)

    def _until_next(self) -> float | None:
        return max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
