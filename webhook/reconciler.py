"""gather → decide → write → read back, until the targets hold what the decision says.

Hooks, watch events and the resync all run this one function. Nothing is remembered between
two runs, and no lock is held: a write made from a view that another write has overtaken
conflicts at the API server, and the reconcile starts over with a new view.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from webhook import kinds, targets
from webhook.canary import MeshDefaults
from webhook.checks import Outcome
from webhook.deadline import Deadline
from webhook.errors import ConflictError, ForbiddenError, NotFoundError, RejectedError
from webhook.fields import Object
from webhook.gather import Reader, gather
from webhook.kinds import Kind, Name
from webhook.policy import decide
from webhook.reasons import Reason
from webhook.targets import Mode
from webhook.task import Task
from webhook.view import Decision, Problem, View, Write

_PAUSES = (0.02, 0.05)
_LAST_PAUSE = 0.1
"""Seconds between two looks while something is on its way; Flux renders in 90 to 250 ms."""

_LOOK = 0.1
"""Seconds kept for a look: better to answer from the last one than to be cut off in the next."""


class Api(Reader, Protocol):
    """What the reconciler asks of `Cluster`."""

    def patch(  # noqa: D102
        self, kind: Kind, name: Name, patch: Object, deadline: Deadline
    ) -> Object: ...


class WriteResult(Protocol):
    """Who wants to know how a write ended."""

    def __call__(self, task: Task, view: View, write: Write, result: str) -> None:
        """`result` is `ok`, `conflict` or `refused`."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The one function, with what it needs; `patience` is Flux's time to render, in seconds."""

    api: Api
    on_write: WriteResult
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
        run = _Run(self, task)
        while True:
            outcome = run.look()
            writes = run.open_writes(outcome)
            for write in writes:
                run.write(outcome.view, write)
            # What was written is read back, and the router is read once more after a raise:
            # a newer view that had nothing to write has left nothing to conflict with.
            if not writes and not run.wait(outcome):
                return outcome


@dataclass(slots=True)
class _Run:
    """One reconcile: the only state there is, and it ends with it."""

    parent: Reconciler
    task: Task
    refused: dict[Name, Problem] = field(default_factory=dict)
    lowering_since: float | None = None
    waits: int = 0

    def look(self) -> Outcome:
        own = self.parent
        view = gather(own.api, own.mesh, self.task, own.clock())
        view = replace(view, overdue=self._overdue())
        return Outcome(view, decide(view), tuple(self.refused.values()))

    def open_writes(self, outcome: Outcome) -> list[Write]:
        if self.parent.observe:
            return []
        return [it for it in outcome.decision.writes if it.target.name not in self.refused]

    def write(self, view: View, write: Write) -> None:
        name = write.target.name
        patch = targets.merge_patch(write.target, write.share, write.release, write.ceiling)
        result = "ok"
        try:
            self.parent.api.patch(kinds.CONFIG_MAP, name, patch, self.task.deadline)
        except (ConflictError, NotFoundError):
            result = "conflict"
        except (ForbiddenError, RejectedError) as error:
            # The other targets must not suffer from it, and a repetition would not help.
            self.refused[name] = Problem(Reason.WRITE_REFUSED, str(error))
            result = "refused"
        self.parent.on_write(self.task, view, write, result)

    def wait(self, outcome: Outcome) -> bool:
        """Whether something is on its way that is worth another look; waits a moment if so."""
        lowering = self._lowering(outcome)
        if not lowering:
            self.lowering_since = None
        elif self.lowering_since is None:
            self.lowering_since = time.monotonic()
        pause = _PAUSES[self.waits] if self.waits < len(_PAUSES) else _LAST_PAUSE
        worth_it = lowering or (self.task.waits_for_raise and _raising(outcome.decision))
        if self.parent.observe or not worth_it or not self.task.deadline.allows(pause + _LOOK):
            return False
        self.waits += 1
        self.parent.sleep(pause)
        return True

    def _lowering(self, outcome: Outcome) -> bool:
        """Whether Flux still has to bring a lowering through, or Lockstep in its place."""
        if not outcome.view.has_write_target:
            return False
        above = (it for it in outcome.decision.above if it.name not in self.refused)
        return any(it.mode is Mode.VERIFY for it in above)

    def _overdue(self) -> bool:
        if self.lowering_since is None:
            return False
        return time.monotonic() - self.lowering_since >= self.parent.patience


def _raising(decision: Decision) -> bool:
    """Whether a raise is still being taken in by the gateways or rendered by Flux."""
    below = [target for target in decision.off if target.share < decision.limit]
    if decision.blocked:
        return bool(below) and decision.blocked.reason is Reason.ROUTER_UNSETTLED
    return any(target.mode is Mode.VERIFY for target in below)
