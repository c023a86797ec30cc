"""gather → decide → write → read back, until the targets hold what the decision says.

Hooks, watch events and the resync all run this one function. Nothing is remembered between
two runs, and no lock is held: a write made from a view that another write has overtaken
conflicts at the API server, and the reconcile starts over with a new view.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from webhook import kinds, targets
from webhook.canary import MeshDefaults
from webhook.checks import Outcome
from webhook.deadline import Deadline
from webhook.errors import (
    ClusterError,
    ConflictError,
    DeadlineError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
)
from webhook.fields import Object
from webhook.gather import Reader, gather
from webhook.kinds import Kind, Name
from webhook.policy import decide
from webhook.reasons import Reason
from webhook.targets import Mode
from webhook.task import Task
from webhook.view import Decision, Problem, View, Write

_PAUSES = (0.02, 0.05, 0.1)
"""Seconds between looks while something is on its way; Flux renders in 90 to 250 ms."""

_FREE_WRITES = 2
"""Rounds of writes without a pause; more only where writes conflict, or do not stick."""


class Api(Reader, Protocol):
    """What the reconciler asks of `Cluster`."""

    def patch(  # noqa: D102
        self, kind: Kind, name: Name, patch: Object, deadline: Deadline
    ) -> Object: ...


class WriteResult(StrEnum):
    """How a write to a target ended."""

    OK = "ok"
    CONFLICT = "conflict"
    FAILED = "failed"


OnWrite = Callable[[Task, View, Write, WriteResult, str], None]
"""Is told how each write ended, and of a failed one the error."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The one function, with what it needs; `patience` is Flux's time to render, in seconds."""

    api: Api
    on_write: OnWrite
    mesh: MeshDefaults = field(default_factory=MeshDefaults)
    patience: float = 2.0
    observe: bool = False
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def reconcile(self, task: Task) -> Outcome:
        """The state in which the canary was left.

        Raises:
            ClusterError: the cluster could not be read, or not until the task's deadline.
        """
        run = _Run(self, task, lowering_since=task.lowering_since)
        while True:
            outcome = run.look()
            writes = run.open_writes(outcome)
            for write in writes:
                run.write(outcome.view, write)
            # What was written is read back, and the router is read once more after a raise:
            # a newer view that had nothing to write has left nothing to conflict with.
            if not run.goes_on(outcome, wrote=bool(writes)):
                return replace(outcome, lowering_since=run.lowering_since)


@dataclass(slots=True)
class _Run:
    """One reconcile: the only state there is, and it ends with it.

    `look_seconds` is how long the last look took: one that the deadline would cut off could take
    a slow router for an unreadable one, so it is not begun.
    """

    parent: Reconciler
    task: Task
    lowering_since: float | None
    failed: dict[Name, Problem] = field(default_factory=dict)
    look_seconds: float = 0.0
    writes: int = 0
    waits: int = 0

    def look(self) -> Outcome:
        own, start = self.parent, time.monotonic()
        if not self.task.deadline.allows(self.look_seconds):
            raise DeadlineError(f"Canary {self.task.ref}: no time left to read it once more")
        view = gather(own.api, own.mesh, self.task, own.clock())
        self.look_seconds = time.monotonic() - start
        view = replace(view, overdue=self._overdue())
        return Outcome(view, decide(view), tuple(self.failed.values()))

    def open_writes(self, outcome: Outcome) -> list[Write]:
        if self.parent.observe:
            return []
        return [it for it in outcome.decision.writes if it.target.name not in self.failed]

    def write(self, view: View, write: Write) -> None:
        name = write.target.name
        patch = targets.merge_patch(write.target, write.share, write.release, write.ceiling)
        result, message = WriteResult.OK, ""
        try:
            self.parent.api.patch(kinds.CONFIG_MAP, name, patch, self.task.deadline)
        except (ConflictError, NotFoundError):
            result = WriteResult.CONFLICT
        except DeadlineError:
            raise
        except ClusterError as error:
            # The other targets must not suffer from it; this one has its turn in the next run.
            result, message = WriteResult.FAILED, str(error)
            self.failed[name] = Problem(_reason(error), message)
        self.parent.on_write(self.task, view, write, result, message)

    def goes_on(self, outcome: Outcome, *, wrote: bool) -> bool:
        """Whether another look is worth it; pauses before one where that gives others time."""
        if wrote:
            self.writes += 1
            self._pause(self.writes - _FREE_WRITES)
            return True
        lowering = self._lowering(outcome)
        self.lowering_since = (self.lowering_since or time.monotonic()) if lowering else None
        awaited = lowering and self.task.waits_for_lowering
        awaited |= self.task.waits_for_raise and _raising(outcome.decision)
        room = _PAUSES[-1] + 2 * self.look_seconds
        if self.parent.observe or not awaited or not self.task.deadline.allows(room):
            return False
        self.waits += 1
        self._pause(self.waits)
        return True

    def _pause(self, number: int) -> None:
        if number > 0:
            self.parent.sleep(_PAUSES[min(number, len(_PAUSES)) - 1])

    def _lowering(self, outcome: Outcome) -> bool:
        """Whether Flux still has to bring a lowering through, or Lockstep in its place."""
        if not outcome.view.has_write_target or self.parent.observe:
            return False
        above = (it for it in outcome.decision.above if it.name not in self.failed)
        return any(it.mode is Mode.VERIFY for it in above)

    def _overdue(self) -> bool:
        if self.lowering_since is None:
            return False
        return time.monotonic() - self.lowering_since >= self.parent.patience


def _reason(error: ClusterError) -> Reason:
    refused = isinstance(error, ForbiddenError | RejectedError)
    return Reason.WRITE_REFUSED if refused else Reason.CLUSTER_UNAVAILABLE


def _raising(decision: Decision) -> bool:
    """Whether a raise is still being taken in by the gateways or rendered by Flux."""
    below = [target for target in decision.off if target.share < decision.limit]
    if decision.blocked:
        return bool(below) and decision.blocked.reason is Reason.ROUTER_UNSETTLED
    return any(target.mode is Mode.VERIFY for target in below)
