"""One hook from its body to its answer: check, reconcile, judge, tell."""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from webhook import gates, payload
from webhook.checks import Outcome
from webhook.deadline import Deadline
from webhook.errors import ClusterError, DeadlineError, ForbiddenError
from webhook.gates import Answer, Hook, Verdict
from webhook.logs import log
from webhook.payload import Payload, PayloadError
from webhook.reasons import Reason
from webhook.reconciler import Reconciler
from webhook.reporter import HookReport, Reporter
from webhook.settings import Settings
from webhook.task import Task
from webhook.view import Problem

STATUS: Mapping[Answer, HTTPStatus] = {
    Answer.APPROVED: HTTPStatus.OK,  # to Flagger only 200, 201 and 202 are success
    Answer.REFUSED: HTTPStatus.FORBIDDEN,
    Answer.UNKNOWN: HTTPStatus.NOT_FOUND,
    Answer.FAULT: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to Flagger."""

    code: HTTPStatus
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Hooks:
    """All of Flagger's hooks on one canary layer."""

    reconciler: Reconciler
    reporter: Reporter
    settings: Settings

    def handle(self, hook: Hook, body: Callable[[], bytes]) -> Reply:
        """The reply to a hook; whatever goes wrong, it is told and has a reason.

        `body` reads the request and may raise `RequestError`.
        """
        call = _Call(hook, time.monotonic())
        code = None
        try:
            verdict = self._judge(call, body())
        except RequestError as error:
            verdict, code = _refused(error.reason, error), error.code
        except PayloadError as error:
            verdict, code = _refused(Reason.BODY_INVALID, error), HTTPStatus.BAD_REQUEST
        except ClusterError as error:
            verdict = gates.unavailable(hook, _problem(error))
        except Exception:  # noqa: BLE001 - Flagger must get an answer that fits the hook
            log.exception("a hook failed by a fault of Lockstep's own")
            verdict = gates.unavailable(hook, _FAULT)
        if self.settings.observe and code is None:
            verdict = gates.observed(hook, verdict)
        return self._reply(call, verdict, code or STATUS[verdict.answer])

    def _judge(self, call: "_Call", body: bytes) -> Verdict:
        claims = payload.parse(call.hook, body)
        self._check_token(claims)
        call.claims = claims
        task = Task(
            ref=claims.ref,
            trigger=call.hook.value,
            deadline=Deadline(call.start + self.settings.hook_deadline),
            event=claims.event,
            waits_for_raise=call.hook.waits_for_raise,
        )
        call.outcome = self.reconciler.reconcile(task)
        self.reporter.reconciled(task, call.outcome, time.monotonic() - call.start)
        return gates.verdict(call.hook, call.outcome)

    def _check_token(self, claims: Payload) -> None:
        expected = self.settings.hook_token
        if expected and not hmac.compare_digest(expected.encode(), claims.token.encode()):
            message = "metadata.token is not the LOCKSTEP_HOOK_TOKEN of this Lockstep"
            raise RequestError(Reason.TOKEN_INVALID, HTTPStatus.UNAUTHORIZED, message)

    def _reply(self, call: "_Call", verdict: Verdict, code: HTTPStatus) -> Reply:
        self.reporter.answered(
            HookReport(
                hook=call.hook,
                verdict=verdict,
                code=code,
                seconds=time.monotonic() - call.start,
                ref=call.claims.ref if call.claims else None,
                event=call.claims.event if call.claims else None,
                outcome=call.outcome,
            )
        )
        return Reply(code, verdict)


class RequestError(Exception):
    """The request is not one of Flagger's; the message says what is wrong with it."""

    def __init__(self, reason: Reason, code: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code


@dataclass(slots=True)
class _Call:
    """What is known so far of one request; its claims only once its token was right."""

    hook: Hook
    start: float
    claims: Payload | None = None
    outcome: Outcome | None = None


_FAULT = Problem(Reason.INTERNAL_ERROR, "a fault of Lockstep's own; its log has the details")


def _refused(reason: Reason, error: Exception) -> Verdict:
    return Verdict(Answer.REFUSED, reason, str(error))


def _problem(error: ClusterError) -> Problem:
    if isinstance(error, DeadlineError):
        return Problem(Reason.DEADLINE_EXCEEDED, str(error))
    if isinstance(error, ForbiddenError):
        return Problem(Reason.CLUSTER_FORBIDDEN, str(error))
    return Problem(Reason.CLUSTER_UNAVAILABLE, str(error))
