"""The reconciles that no hook asked for: after changes, when a ceiling ends, and now and then."""

import threading
import time
from dataclasses import dataclass, field

from webhook.checks import Outcome
from webhook.deadline import Deadline
from webhook.errors import ClusterError
from webhook.index import Index
from webhook.kinds import Name
from webhook.logs import fields, log
from webhook.reconciler import Reconciler
from webhook.reporter import Reporter
from webhook.settings import Settings
from webhook.task import Task
from webhook.workqueue import Item, WorkQueue

_THREADS = 16
_RETRY = 1.0
"""Seconds until a canary is looked at again after the cluster could not be read."""

_RETRY_UNKNOWN = 5.0
"""The same where only its router or workload could not: that may be a lasting mistake."""


@dataclass(slots=True)
class Workers:
    """Threads that bring one canary after the other in step."""

    reconciler: Reconciler
    reporter: Reporter
    settings: Settings
    index: Index
    queue: WorkQueue = field(default_factory=WorkQueue)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start working."""
        runs = [self._resync, *[self._work] * _THREADS]
        self._threads = [threading.Thread(target=run, daemon=True) for run in runs]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is being worked on, and end."""
        self._stopped.set()
        self.queue.close()
        for thread in self._threads:
            thread.join(self._seconds())

    def changed(self, ref: Name) -> None:
        """Say that something changed that concerns the canary."""
        self.queue.add(ref, "watch")

    def _resync(self) -> None:
        while not self._stopped.wait(self.settings.resync):
            for ref in self.index.everyone():
                self.queue.add(ref, "resync")

    def _work(self) -> None:
        while item := self.queue.take():
            try:
                self._reconcile(item)
            finally:
                self.queue.done(item.ref)

    def _reconcile(self, item: Item) -> None:
        start = time.monotonic()
        task = Task(item.ref, item.trigger, Deadline(start + self._seconds()))
        try:
            outcome = self.reconciler.reconcile(task)
            self.reporter.reconciled(task, outcome, time.monotonic() - start)
            self._look_again(outcome)
        except ClusterError as error:
            log.warning("a canary could not be reconciled", extra=_about(item, str(error)))
            self.queue.add(item.ref, "retry", _RETRY)
        except Exception:  # noqa: BLE001 - one canary must not take a worker from the others
            log.exception("a reconcile failed by a fault of Lockstep's own", extra=_about(item))

    def _look_again(self, outcome: Outcome) -> None:
        decision = outcome.decision
        if decision.wake is not None:
            self.queue.add(outcome.view.ref, "ceiling", decision.wake)
        if decision.desired is None:
            self.queue.add(outcome.view.ref, "retry", _RETRY_UNKNOWN)

    def _seconds(self) -> float:
        """For how long one reconcile may run: through Flux's patience, and then to break it."""
        return self.settings.flux_patience + self.settings.hook_deadline


def _about(item: Item, error: str | None = None) -> dict[str, object]:
    ref = item.ref
    return fields(namespace=ref.namespace, canary=ref.name, trigger=item.trigger, error=error)
