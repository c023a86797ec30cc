"""Which canaries to look at next: each at most once at a time, and never forgotten."""

import threading
import time
from dataclasses import dataclass, field, replace

from webhook.kinds import Name


@dataclass(frozen=True, slots=True)
class Item:
    """A canary to look at and what brought it there.

    `due`, and since when Flux has a lowering of it to render, are seconds of the monotonic clock.
    """

    ref: Name
    trigger: str
    due: float
    lowering_since: float | None = None


@dataclass(slots=True)
class WorkQueue:
    """Canaries waiting for a worker, in the order in which they are due.

    A canary waits once, for the earliest of its times. One that is added while it is being
    worked on is taken again afterwards, since that work may have read before the change.
    """

    _waiting: dict[Name, Item] = field(default_factory=dict)
    _working: set[Name] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def add(
        self, ref: Name, trigger: str, after: float = 0.0, lowering_since: float | None = None
    ) -> None:
        """Have a worker take the canary, in `after` seconds at the earliest."""
        item = Item(ref, trigger, time.monotonic() + after, lowering_since)
        with self._changed:
            waiting = self._waiting.get(ref, item)
            earliest = min(waiting, item, key=lambda it: it.due)
            since = waiting.lowering_since or lowering_since
            self._waiting[ref] = replace(earliest, lowering_since=since)
            self._changed.notify()

    def take(self) -> Item | None:
        """The next canary, as soon as one is due; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                idle = (it for it in self._waiting.values() if it.ref not in self._working)
                item = min(idle, key=lambda it: it.due, default=None)
                if item and item.due <= time.monotonic():
                    self._working.add(item.ref)
                    return self._waiting.pop(item.ref)
                self._changed.wait(item.due - time.monotonic() if item else None)
            return None

    def done(self, ref: Name) -> None:
        """Say that the work on a canary that was taken is over."""
        with self._changed:
            self._working.discard(ref)
            self._changed.notify()

    def close(self) -> None:
        """Let every worker end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
