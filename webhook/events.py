"""Kubernetes Events on the Canary, so that `kubectl describe canary` tells the story.

They are sent by a thread of their own: a hook never waits for one, and a flood of them is
dropped instead of queued without end.
"""

import hashlib
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from webhook import kinds
from webhook.canary import Canary
from webhook.deadline import Deadline
from webhook.errors import ClusterError, ConflictError
from webhook.fields import Object, find
from webhook.kinds import Kind, Name
from webhook.logs import fields, log

_SECONDS = 5.0
_MOST_WAITING = 1000
_LONGEST_MESSAGE = 1024
"""What the API server accepts as an Event's message."""


class Api(Protocol):
    """What the recorder asks of `Cluster`."""

    def create(  # noqa: D102
        self, kind: Kind, namespace: str, obj: Object, deadline: Deadline
    ) -> Object: ...
    def patch(  # noqa: D102
        self, kind: Kind, name: Name, patch: Object, deadline: Deadline
    ) -> Object: ...


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to tell about a canary; `reason` is what `kubectl` shows in its column."""

    canary: Canary
    reason: str
    message: str
    warning: bool = False


class Recorder:
    """Sends notes as Events; the same note again raises the count of the first."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._waiting: queue.Queue[Note | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, and end."""
        with suppress(queue.Full):  # then it is a daemon thread that ends with the process
            self._waiting.put(None, timeout=_SECONDS)
        self._thread.join(_SECONDS)

    def record(self, note: Note) -> None:
        """Send the note soon; logs a warning where too many wait already."""
        try:
            self._waiting.put_nowait(note)
        except queue.Full:
            log.warning("an Event was dropped: too many are waiting", extra=_about(note))

    def _run(self) -> None:
        while note := self._waiting.get():
            try:
                self._send(note)
            except ClusterError as error:
                extra = _about(note, error=str(error))
                log.warning("an Event could not be written", extra=extra)
            except Exception:  # noqa: BLE001 - a dead thread would tell nothing any more
                log.exception("an Event failed by a fault of Lockstep's own", extra=_about(note))

    def _send(self, note: Note) -> None:
        event = event_of(note)
        namespace = note.canary.ref.namespace
        deadline = Deadline.after(_SECONDS)
        try:
            self._api.create(kinds.EVENT, namespace, event, deadline)
        except ConflictError:
            self._count(Name(namespace, event_name(note)), event, deadline)

    def _count(self, name: Name, event: Object, deadline: Deadline) -> None:
        """Raise the count of an Event that is there, without the right to read Events."""
        patch = {"lastTimestamp": event["lastTimestamp"]}
        current = self._api.patch(kinds.EVENT, name, patch, deadline)
        count = find(current, "count")
        raised = {"count": count + 1 if isinstance(count, int) else 2}
        self._api.patch(kinds.EVENT, name, raised, deadline)


def event_name(note: Note) -> str:
    """The same for the same note, so that a repeat meets the first one."""
    text = f"{note.canary.uid} {note.reason} {note.message}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{note.canary.ref.name}.lockstep.{digest}"


def event_of(note: Note) -> Object:
    """The Event object (core/v1) of a note that is told for the first time."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ref = note.canary.ref
    return {
        "apiVersion": kinds.EVENT.api_version,
        "kind": kinds.EVENT.kind,
        "metadata": {"name": event_name(note), "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": kinds.CANARY.api_version,
            "kind": kinds.CANARY.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": note.canary.uid,
        },
        "reason": note.reason,
        "message": note.message[:_LONGEST_MESSAGE],
        "type": "Warning" if note.warning else "Normal",
        "source": {"component": "lockstep"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def _about(note: Note, error: str | None = None) -> dict[str, object]:
    ref = note.canary.ref
    return fields(namespace=ref.namespace, canary=ref.name, reason=note.reason, error=error)
