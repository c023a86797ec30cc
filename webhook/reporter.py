"""Telling what happened: the one place that writes log lines, Events and metrics."""

import logging
import time
from dataclasses import dataclass
from http import HTTPStatus

from webhook import checks
from webhook.canary import Canary
from webhook.checks import Outcome
from webhook.events import Note, Recorder
from webhook.gates import Answer, Hook, Verdict
from webhook.kinds import Name
from webhook.logs import fields, log
from webhook.metrics import Metrics
from webhook.reasons import Reason
from webhook.reconciler import WriteResult
from webhook.routers import Reading
from webhook.steps import Change, Steps
from webhook.targets import Target
from webhook.task import Task
from webhook.view import Event, View, Write

_TOLD_ALTHOUGH_APPROVED = {Reason.BROWSERS_EXCLUDED, Reason.ROLLBACK_APPROVED}
_UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class HookReport:
    """A hook that was answered; what is None was not known by then."""

    hook: Hook
    verdict: Verdict
    code: HTTPStatus
    seconds: float
    ref: Name | None = None
    event: Event | None = None
    outcome: Outcome | None = None

    @property
    def refused(self) -> bool:
        """Whether a gate held Flagger; that `/rollback` says no is its ordinary answer."""
        return self.hook is not Hook.ROLLBACK and not self.verdict.approved


@dataclass(frozen=True, slots=True)
class Reporter:
    """Tells about writes, reconciles and hooks; without a recorder, no Events.

    `observe` is whether nothing is written, so that what would be must be told instead.
    """

    metrics: Metrics
    steps: Steps
    recorder: Recorder | None = None
    observe: bool = False

    def write(self, task: Task, view: View, write: Write, result: WriteResult, error: str) -> None:
        """Tell how a write to a target ended; `error` is why it failed."""
        name = write.target.name.name
        self.metrics.writes.labels(write.target.mode.value, result.value).inc()
        if result is WriteResult.FAILED:
            extra = _write_fields(task, view, write, error)
            log.warning(f"ConfigMap {name} could not be written", extra=extra)
        elif result is WriteResult.OK and write.share != write.target.share:
            change = f"{write.target.share} % to {write.share} %"
            log.info(f"client share from {change}", extra=_write_fields(task, view, write))
            self._note(view, "ClientShareChanged", f"ConfigMap {name}: from {change}")

    def reconciled(self, task: Task, outcome: Outcome, seconds: float) -> None:
        """Tell in which state a reconcile left its canary, and for how many seconds it ran."""
        self.metrics.sync_seconds.labels(task.trigger).observe(seconds)
        # While browsers are on what is deleted, its series are what an alert goes by.
        gone = outcome.view.canary is None and not outcome.decision.above
        if gone:
            self.metrics.forget(task.ref)
        else:
            self._measure(task.ref, outcome)
        if self.observe:
            self._observed(task, outcome)
        change = self.steps.see(task.ref, in_step=gone or outcome.decision.in_step)
        if change is Change.BACK_IN_STEP:
            text = f"every ConfigMap has the desired share of {outcome.decision.limit} %"
            self._note(outcome.view, change.value, text)
        elif change and (problem := checks.not_synced(outcome)):
            text = f"{problem.reason}: {problem.message}"
            self._note(outcome.view, change.value, text, warning=True)

    def _observed(self, task: Task, outcome: Outcome) -> None:
        writes = {it.target.name: it for it in outcome.decision.writes}
        shares = {name: it.share for name, it in writes.items() if it.share != it.target.share}
        for name, share in self.steps.wish(task.ref, shares).items():
            text = f"client share would go from {writes[name].target.share} % to {share} %"
            extra = _write_fields(task, outcome.view, writes[name])
            log.info(f"observe mode: {text}", extra=extra)

    def answered(self, report: HookReport) -> None:
        """Tell how a hook was answered."""
        hook, verdict = report.hook.value, report.verdict
        self.metrics.hook_seconds.labels(hook, str(report.code.value)).observe(report.seconds)
        self.metrics.hook_last.labels(hook).set(time.time())
        if report.refused:
            self.metrics.gate_refusals.labels(hook, verdict.reason.value).inc()
        if report.outcome and (report.refused or verdict.reason in _TOLD_ALTHOUGH_APPROVED):
            text = f"{hook}: {verdict.message}"
            self._note(report.outcome.view, verdict.reason.value, text, warning=report.refused)
        level = logging.WARNING if verdict.answer is Answer.FAULT else logging.INFO
        log.log(level, verdict.message, extra=_hook_fields(report))

    def _measure(self, ref: Name, outcome: Outcome) -> None:
        decision = outcome.decision
        labels = (ref.namespace, ref.name)
        routed = _UNKNOWN if decision.routed is None else decision.routed
        self.metrics.routed_share.labels(*labels).set(routed)
        self.metrics.in_step.labels(*labels).set(decision.in_step)
        self.metrics.set_ceiling(ref, decision.ceiling.value if decision.ceiling else None)
        shares = {
            target.name.name: target.share if isinstance(target, Target) else _UNKNOWN
            for target in outcome.view.targets
        }
        self.metrics.set_targets(ref, shares)

    def _note(self, view: View, reason: str, message: str, *, warning: bool = False) -> None:
        if self.recorder and isinstance(view.canary, Canary):
            self.recorder.record(Note(view.canary, reason, message, warning))


def _write_fields(
    task: Task, view: View, write: Write, error: str | None = None
) -> dict[str, object]:
    return fields(
        namespace=task.ref.namespace,
        canary=task.ref.name,
        phase=_phase(view),
        configmap=write.target.name.name,
        trigger=task.trigger,
        event=task.event.message if task.event else None,
        routed=view.router.share if isinstance(view.router, Reading) else None,
        before=write.target.share,
        after=write.share,
        ceiling=write.ceiling.value if write.ceiling else None,
        error=error,
    )


def _hook_fields(report: HookReport) -> dict[str, object]:
    outcome, verdict = report.outcome, report.verdict
    decision = outcome.decision if outcome else None
    fault = verdict.answer is Answer.FAULT
    return fields(
        hook=report.hook.value,
        namespace=report.ref.namespace if report.ref else None,
        canary=report.ref.name if report.ref else None,
        phase=_phase(outcome.view) if outcome else None,
        event=report.event.message if report.event else None,
        routed=decision.routed if decision else None,
        ceiling=decision.ceiling.value if decision and decision.ceiling else None,
        verdict=verdict.answer.value,
        reason=verdict.reason.value,
        error=verdict.message if fault else None,
        duration_ms=round(report.seconds * 1000),
    )


def _phase(view: View) -> str | None:
    return view.canary.phase.value if isinstance(view.canary, Canary) else None
