"""The reconciles that no hook asked for: after changes, when a ceiling ends, and now and then."""

import logging
import threading
import time
from collections.abc import Collection
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
WATCH = "watch"
"""The trigger of a change that a watch has told. A ConfigMap of which none has told yet will have
one of its own, so such a run need not look for more: a LIST may take the API server 100 ms."""

_FEW = 8
"""Targets that are read by name: more of them take longer than the LIST that may wait 100 ms."""

_RETRY = 1.0
"""Seconds until a canary is looked at again after the cluster could not be read."""

_RETRY_LATER = 5.0
"""The same where a part of it could not, or a write failed: that may be a lasting mistake."""

_RESYNC_PAUSE = 0.5
"""The least seconds between two canaries of a resync: it costs less than 1 % of a core."""

_AGAIN = "retry"
"""The trigger of what was looked at before and is not as it should be."""

_FLUX_PAUSE = 0.1
"""Seconds between looks while Flux renders a lowering; no thread waits for it."""


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
            thread.join(self.settings.hook_deadline)

    def changed(self, ref: Name) -> None:
        """Say that something changed that concerns the canary."""
        self.queue.add(ref, WATCH)

    def _resync(self) -> None:
        while not self._stopped.is_set():
            everyone = self.index.everyone()
            self.reporter.metrics.keep(everyone)
            self._look_at(everyone)
            if not everyone:
                self._stopped.wait(self.settings.resync)

    def _look_at(self, everyone: Collection[Name]) -> None:
        """Look at one after the other, evenly: a change must not wait behind all of them."""
        for ref in everyone:
            if self._stopped.wait(max(self.settings.resync / len(everyone), _RESYNC_PAUSE)):
                return
            self.queue.add(ref, "resync")

    def _work(self) -> None:
        while item := self.queue.take():
            try:
                self._reconcile(item)
            finally:
                self.queue.done(item.ref)

    def _reconcile(self, item: Item) -> None:
        start = time.monotonic()
        task = Task(
            ref=item.ref,
            trigger=item.trigger,
            deadline=Deadline(start + self.settings.hook_deadline),
            waits_for_lowering=False,
            lowering_since=item.lowering_since,
            known=self._known(item),
        )
        try:
            outcome = self.reconciler.reconcile(task)
            self.reporter.reconciled(task, outcome, time.monotonic() - start)
            self._look_again(item, outcome)
        except ClusterError as error:
            # Told once a canary, not every second while an API server is away.
            level = logging.DEBUG if item.trigger == _AGAIN else logging.WARNING
            log.log(level, "a canary could not be reconciled", extra=_about(item, str(error)))
            self.queue.add(item.ref, _AGAIN, _RETRY, item.lowering_since)
        except Exception:  # noqa: BLE001 - one canary must not take a worker from the others
            log.exception("a reconcile failed by a fault of Lockstep's own", extra=_about(item))
            self.queue.add(item.ref, _AGAIN, _RETRY_LATER)

    def _known(self, item: Item) -> frozenset[Name]:
        """The targets to be read one by one; none where to ask for all of them is as quick."""
        known = self.index.targets(item.ref) if item.trigger == WATCH else frozenset()
        return known if len(known) <= _FEW else frozenset()

    def _look_again(self, item: Item, outcome: Outcome) -> None:
        decision, ref = outcome.decision, item.ref
        if outcome.lowering_since is not None:
            self.queue.add(ref, item.trigger, _FLUX_PAUSE, outcome.lowering_since)
        if decision.wake is not None:
            self.queue.add(ref, "ceiling", decision.wake)
        if decision.off and outcome.view.targets:
            self.queue.add(ref, _AGAIN, _RETRY_LATER)


def _about(item: Item, error: str | None = None) -> dict[str, object]:
    ref = item.ref
    return fields(namespace=ref.namespace, canary=ref.name, trigger=item.trigger, error=error)
