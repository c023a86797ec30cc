"""Every change of the store, in order, and waiting for the next one."""

import threading
import time
from dataclasses import dataclass

from webhook.demo.errors import expired
from webhook.demo.objects import Json
from webhook.kinds import Kind, Name

FIRST_RV = 1
"""The resourceVersion of the empty store; not 0, which asks a list or watch for any version."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One change: `at` is time.monotonic() in seconds, `object` None after a delete.

    `kind` is the version it was written as; `verb` is create, patch, put or delete.
    """

    rv: int
    at: float
    verb: str
    kind: Kind
    name: Name
    object: Json | None


@dataclass(frozen=True, slots=True)
class Change:
    """A revision and the object that it replaced: what a watch tells its event from."""

    revision: Revision
    before: Json | None


class Journal:
    """An append-only log. Its n-th change has resourceVersion FIRST_RV + n, without gaps.

    `changed` is the lock of the whole store: whoever records holds it.
    """

    def __init__(self, window: int) -> None:
        """Keep all changes, but let a watch begin at most `window` changes ago."""
        self.changed = threading.Condition()
        self._window = window
        self._changes: list[Change] = []

    @property
    def rv(self) -> int:
        """The resourceVersion of the latest change."""
        return FIRST_RV + len(self._changes)

    def record(
        self, verb: str, kind: Kind, name: Name, before: Json | None, after: Json | None
    ) -> None:
        """Append a change and wake whoever waits for one."""
        revision = Revision(self.rv + 1, time.monotonic(), verb, kind, name, after)
        self._changes.append(Change(revision, before))
        self.changed.notify_all()

    def after(self, rv: int, wait: float = 0) -> list[Change]:
        """The changes after a resourceVersion; waits up to `wait` seconds for the first."""
        with self.changed:
            if rv >= self.rv and wait > 0:
                self.changed.wait(wait)
            return self._changes[max(0, rv - FIRST_RV) :]

    def check_kept(self, since: int) -> None:
        """Tell whether a watch may begin there.

        Raises:
            StoreError: 410 Expired, there were more changes since than the window holds.
        """
        oldest = self.rv - self._window
        if since < oldest:
            raise expired(since, oldest)
