"""What a watch tells of the store's changes, as the real API server would."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from webhook.demo.journal import Change, Journal
from webhook.demo.objects import Json, copied, resource, shown_as, with_version
from webhook.demo.selectors import EVERYTHING, Selector
from webhook.kinds import Kind, Name

_TICK = 0.05
"""Seconds after which an idle watch asks whether it is over."""


class EventType(StrEnum):
    """The `type` of a line of a watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A line of a watch; the object is the receiver's own."""

    type: EventType
    object: Json


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a watch lasts and how often it sends a bookmark, in seconds.

    It sends one at its end, too, if it sends any. `ended` is asked every 50 ms.
    """

    timeout: float = math.inf
    bookmark_every: float = math.inf
    ended: Callable[[], bool] = _never


UNENDING = Pace()


@dataclass(frozen=True, slots=True)
class View:
    """Which objects a list or a watch shows, and as which version of their kind."""

    kind: Kind
    namespace: str | None = None
    selector: Selector = EVERYTHING

    def shows(self, name: Name, obj: Json | None) -> bool:
        """Whether an object of the kind is among them."""
        ours = self.namespace in (None, name.namespace)
        return ours and obj is not None and self.selector.matches(obj)

    def event(self, change: Change) -> WatchEvent | None:
        """What a watch tells of the change: an object that stops matching is DELETED to it.

        Like the real server, DELETED carries the last object that matched, at the
        resourceVersion of the change.
        """
        revision, before, after = change.revision, change.before, change.revision.object
        if resource(revision.kind) != resource(self.kind):
            return None
        shown = self.shows(revision.name, before), self.shows(revision.name, after)
        match shown:
            case (True, False) if before is not None:
                return self._tell(EventType.DELETED, with_version(before, revision.rv))
            case (False, True) if after is not None:
                return self._tell(EventType.ADDED, after)
            case (True, True) if after is not None:
                return self._tell(EventType.MODIFIED, after)
        return None

    def added(self, obj: Json) -> WatchEvent:
        """What a watch without a resourceVersion begins with, for each object there is."""
        return self._tell(EventType.ADDED, obj)

    def bookmark(self, rv: int) -> WatchEvent:
        """Nothing happened up to `rv` that was not told."""
        return self._tell(EventType.BOOKMARK, {"metadata": {"resourceVersion": str(rv)}})

    def _tell(self, type_: EventType, obj: Json) -> WatchEvent:
        return WatchEvent(type_, copied(shown_as(self.kind, obj)))


def follow(journal: Journal, view: View, since: int, pace: Pace) -> Iterator[WatchEvent]:
    """The events after `since`, until the pace says that the watch is over."""
    now, known = time.monotonic(), since
    end, bookmark = now + pace.timeout, now + pace.bookmark_every
    while not pace.ended():
        for change in journal.after(since, min(_TICK, end - now, bookmark - now)):
            since = change.revision.rv
            if event := view.event(change):
                yield event
        now = time.monotonic()
        if now >= min(bookmark, end) and pace.bookmark_every < math.inf:
            if since > known:  # the real server says nothing to who knows it all
                yield view.bookmark(since)
            bookmark = now + pace.bookmark_every
        if now >= end:
            return
