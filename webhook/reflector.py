"""Following one selection of objects: list, watch from there, and start over when it breaks.

The client library's informer has no backoff and hangs on a server that falls silent, so this
one is ours: windows of a few seconds with bookmarks, a read time-out, and jittered backoff.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from webhook.apiwatch import Change, Watch
from webhook.cluster import Cluster
from webhook.deadline import Deadline
from webhook.errors import ClusterError, GoneError, NotFoundError
from webhook.fields import Object, text
from webhook.kinds import Selection
from webhook.logs import fields, log
from webhook.metrics import Metrics

WINDOW = 8
"""Seconds for which a watch is asked for; its reopening proves that the API server answers."""

_SILENCE = WINDOW + 4.0
_LIST_SECONDS = 10.0
_FIRST_PAUSE = 0.1
_LAST_PAUSE = 15.0

Listed = Callable[[tuple[Object, ...]], None]
Changed = Callable[[Change, Object], None]


@dataclass(slots=True)
class Reflector:
    """A thread that tells `listed` all objects now and then, and `changed` each change between.

    A kind that the API server does not serve counts as one without objects, and is asked for
    again: CRDs come after Lockstep, or never.
    """

    cluster: Cluster
    metrics: Metrics
    selection: Selection
    listed: Listed
    changed: Changed
    synced: threading.Event = field(default_factory=threading.Event)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: Watch | None = None
    _thread: threading.Thread | None = None
    _failures: int = 0

    def start(self) -> None:
        """Start following."""
        self._thread = threading.Thread(target=self._run, name=str(self.selection), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does within a moment."""
        self._stopped.set()
        with self._lock:
            if self._open:
                self._open.stop()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end."""
        if self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow(self._list())
            except GoneError:
                self._restarted("the version to go on from is too old")
            except NotFoundError as error:
                self.listed(())
                self.synced.set()
                self._back_off(error)
            except ClusterError as error:
                self._back_off(error)

    def _list(self) -> str:
        listing = self.cluster.list(self.selection, Deadline.after(_LIST_SECONDS))
        self.listed(listing.items)
        self.synced.set()
        self._heard()
        return listing.version

    def _follow(self, version: str) -> None:
        while not self._stopped.is_set():
            watch = self.cluster.watch(self.selection, version, WINDOW, _SILENCE)
            with watch, self._opened(watch):
                self._heard()
                for change, obj in watch:
                    self._heard()
                    version = text(obj, "metadata", "resourceVersion") or version
                    if change is not Change.BOOKMARK:
                        self.changed(change, obj)

    def _opened(self, watch: Watch) -> "_Open":
        return _Open(self, watch)

    def _heard(self) -> None:
        self._failures = 0
        self.metrics.heard(self.selection.kind.plural)

    def _back_off(self, error: ClusterError) -> None:
        if self._stopped.is_set():
            return
        longest = min(_LAST_PAUSE, _FIRST_PAUSE * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._restarted(str(error))
        self._stopped.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    def _restarted(self, error: str) -> None:
        self.metrics.watch_restarts.labels(self.selection.kind.plural).inc()
        message = f"the watch of {self.selection} starts over"
        log.log(_level(self._failures), message, extra=fields(error=error))
