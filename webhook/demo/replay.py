"""Playing one recording: objects as Flagger wrote them, and its hooks, each awaited."""

import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus

import requests

from webhook import kinds
from webhook.demo.operator import Operator
from webhook.demo.recording import HookRow, ObjectRow, Recording, pauses
from webhook.demo.store import Store, StoreError
from webhook.fields import text
from webhook.gates import Hook

_TIMEOUT = 10.0
"""Seconds; Lockstep's own deadline for a hook is 3."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How Lockstep answered a hook; `at` is time.monotonic() in seconds when it had."""

    row: HookRow
    at: float
    status: int
    reason: str

    @property
    def message(self) -> str:
        """What Flagger said, on `/event`."""
        return text(self.row.payload, "metadata", "eventMessage") or ""

    @property
    def as_recorded(self) -> bool:
        """Whether Flagger would have gone on as it did."""
        return self.status == self.row.answer

    @property
    def known_difference(self) -> bool:
        """Whether another webhook refused then: Lockstep itself never does on `/rollout`."""
        refused = self.row.answer == HTTPStatus.FORBIDDEN
        return self.row.hook is Hook.ROLLOUT and refused and self.status == HTTPStatus.OK

    def __str__(self) -> str:
        """One line about a difference."""
        got = f"{self.status} {self.reason}".strip()
        return f"row {self.row.line}: {self.row.hook} was answered {got}, not {self.row.answer}"


@dataclass(slots=True)
class Replay:
    """One recording on its way; `done` counts rows, `failure` is what ended it early."""

    recording: Recording
    operator: Operator
    store: Store
    url: str
    hooks: frozenset[Hook]
    answers: list[Answer] = field(default_factory=list)
    done: int = 0
    failure: str = ""

    def play(self, speed: float, stopped: threading.Event) -> None:
        """Play all rows, `speed` times as fast as recorded, unless stopped."""
        rows = self.recording.rows
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no netrc: this is the loopback interface
            for row, pause in zip(rows, pauses(rows, speed), strict=True):
                if stopped.wait(pause):
                    return
                try:
                    self._row(row, session)
                except (requests.RequestException, StoreError) as error:
                    self.failure = f"row {row.line}: {error}"
                    return
                self.done += 1

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.failure) or self.done == len(self.recording.rows)

    def _row(self, row: HookRow | ObjectRow, session: requests.Session) -> None:
        if isinstance(row, ObjectRow):
            self._object(row)
            return
        self.operator.prepare(row)
        if row.hook in self.hooks:
            self.answers.append(self._call(row, session))

    def _object(self, row: ObjectRow) -> None:
        if row.deleted:
            self.store.delete(row.kind, row.name)
        elif row.kind == kinds.CANARY:
            self.store.put(self.operator.dressed(row.object))
        else:
            self.store.put(row.object)

    def _call(self, row: HookRow, session: requests.Session) -> Answer:
        reply = session.post(f"{self.url}/{row.hook}", json=row.payload, timeout=_TIMEOUT)
        return Answer(row, time.monotonic(), reply.status_code, _reason(reply))


def _reason(reply: requests.Response) -> str:
    try:
        return text(reply.json(), "reason") or ""
    except ValueError:
        return ""  # not one of Lockstep's answers; the status says enough
