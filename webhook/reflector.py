"""Following one selection of objects: list, watch from there, and start over when it breaks.

The client library's informer has no backoff and hangs on a server that falls silent, so this
one is ours: windows of a few seconds with bookmarks, a read time-out, and jittered backoff.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from webhook.apiwatch import Change, Watch
from webhook.cluster import Cluster
from webhook.deadline import Deadline
from webhook.errors import ClusterError, ForbiddenError, GoneError, NotFoundError
from webhook.fields import Object, text
from webhook.kinds import Selection
from webhook.logs import fields, log


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a reflector is, in seconds.

    A watch is asked for `window` (whole) seconds: its reopening proves that the API server
    answers. After `silence` without a byte it is given up. A pause doubles from `first_pause` to
    `last_pause` while nothing works, or to `rare_pause` while the kind is not served or not to be
    read, and is then shortened by up to a half at random.
    """

    window: int = 8
    silence: float = 12.0
    list: float = 10.0
    first_pause: float = 0.1
    last_pause: float = 2.0
    rare_pause: float = 15.0

    def pause(self, before: int, longest: float) -> float:
        """How long to wait after it has been in vain `before` times in a row, and now again."""
        pause = min(longest, self.first_pause * (1 << min(before, 10)))
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


_LONG_ENOUGH = 0.5
"""Seconds after which a watch that ends has been a good one: the next pause is short again."""

Listed = Callable[[tuple[Object, ...]], None]
Changed = Callable[[Change, Object], None]


class Witness(Protocol):
    """Who is told how a watch fares; `resource` is that of its kind."""

    def heard(self, resource: str) -> None:
        """The API server has just said something, if only that there is nothing new."""

    def restarted(self, resource: str) -> None:
        """The watch broke."""


@dataclass(slots=True)
class Reflector:
    """A thread that tells `listed` all objects now and then, and `changed` each change between.

    A kind that is not served, or not to be read, is asked for again: CRDs and rights come later,
    or never. Where it is `optional` it counts as one without objects until then. One that `relists`
    lists all objects anew before each window.
    """

    cluster: Cluster
    witness: Witness
    selection: Selection
    listed: Listed
    changed: Changed
    pace: Pace = Pace()
    optional: bool = False
    relists: bool = False
    synced: threading.Event = field(default_factory=threading.Event)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: Watch | None = None
    _thread: threading.Thread | None = None
    _failures: int = 0
    _refusals: int = 0

    def start(self) -> None:
        """Start following."""
        self._thread = threading.Thread(target=self._run, name=str(self.selection), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does within a moment, and has told its witness all by now."""
        with self._lock:
            self._stopped.set()
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
            except GoneError as error:
                self._back_off(logging.DEBUG, error)
            except (NotFoundError, ForbiddenError) as error:
                self._do_without(error)
            except ClusterError as error:
                # That it broke, and why it stays so; not again and again while it does.
                self._back_off(logging.WARNING if self._failures <= 1 else logging.DEBUG, error)
            except Exception as error:  # noqa: BLE001 - a dead thread would heal nothing any more
                log.exception("a watch failed by a fault of Lockstep's own")
                self._back_off(logging.DEBUG, error)

    def _do_without(self, error: ClusterError) -> None:
        """Wait for a kind that is not served, or not to be read; the reconcile says what it costs.

        Where the kind is `optional`, one canary's mistake must not keep Lockstep from the others.
        """
        first = not self._refusals
        if self.optional and first:
            self.listed(())
            self.synced.set()
        self._restarted(logging.WARNING if first else logging.DEBUG, error)
        self._stopped.wait(self.pace.pause(self._refusals, self.pace.rare_pause))
        self._refusals += 1

    def _list(self) -> str:
        listing = self.cluster.list(self.selection, Deadline.after(self.pace.list))
        self.listed(listing.items)
        self._heard()
        return listing.version

    def _follow(self, version: str) -> None:
        """Watch from `version` on, one window after the other, until something breaks."""
        while not self._stopped.is_set():
            pace = self.pace
            opened = self.cluster.watch(self.selection, version, pace.window, pace.silence)
            with opened as watch:
                self._heard()
                self._use(watch)
                self.synced.set()
                version = self._hear(watch, version)
            if self.relists:
                return

    def _hear(self, watch: Watch, version: str) -> str:
        """Pass on what a watch says until it ends; returns the version to go on from."""
        start = time.monotonic()
        try:
            for change, obj in watch:
                self._heard()
                version = text(obj, "metadata", "resourceVersion") or version
                if change is not Change.BOOKMARK:
                    self.changed(change, obj)
        finally:
            if time.monotonic() - start > _LONG_ENOUGH:
                self._failures = self._refusals = 0
        if self._failures or time.monotonic() - start < self.pace.first_pause:
            self._stopped.wait(self.pace.first_pause)  # a server that ends each watch at once
        return version

    def _heard(self) -> None:
        """Tell it, unless that were news of a watch that nobody needs any more."""
        with self._lock:
            if not self._stopped.is_set():
                self.witness.heard(self.selection.kind.resource)

    def _use(self, watch: Watch) -> None:
        """Let `stop` end the watch, also when it came just before."""
        with self._lock:
            self._open = watch
            if self._stopped.is_set():
                watch.stop()

    def _back_off(self, level: int, error: Exception) -> None:
        self._restarted(level, error)
        self._stopped.wait(self.pace.pause(self._failures, self.pace.last_pause))
        self._failures += 1

    def _restarted(self, level: int, error: Exception) -> None:
        if self._stopped.is_set():
            return
        self.witness.restarted(self.selection.kind.resource)
        message = f"the watch of {self.selection} starts over"
        log.log(level, message, extra=fields(error=str(error)))
