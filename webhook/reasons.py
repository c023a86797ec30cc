"""Why a hook was answered as it was: one word for the response, log, Event, metric and docs."""

from enum import StrEnum


class Reason(StrEnum):
    """Part of the API: `docs/reasons.md` says what an operator does about each."""

    # approvals
    IN_STEP = "InStep"
    READY = "Ready"
    SYNCED = "Synced"
    NO_WRITE_TARGET = "NoWriteTarget"
    OBSERVING = "Observing"
    BROWSERS_EXCLUDED = "BrowsersExcluded"
    ROLLBACK_APPROVED = "RollbackApproved"

    # refusals: the cluster says no
    NO_TARGETS = "NoTargets"
    TARGET_INVALID = "TargetInvalid"
    ROUTER_UNREADABLE = "RouterUnreadable"
    ROUTER_UNSETTLED = "RouterUnsettled"
    WORKLOAD_UNREADABLE = "WorkloadUnreadable"
    CANARY_INVALID = "CanaryInvalid"
    CEILING_IN_FORCE = "CeilingInForce"
    OUT_OF_STEP = "OutOfStep"
    WRITE_REFUSED = "WriteRefused"
    BRAKE_INVALID = "BrakeInvalid"
    HELD = "Held"
    ROLLBACK_REQUESTED = "RollbackRequested"
    NO_ROLLBACK_REQUESTED = "NoRollbackRequested"
    ROLLBACK_TOO_LATE = "RollbackTooLate"
    UNKNOWN_CANARY = "UnknownCanary"

    # a fault of our own or of the cluster
    CLUSTER_UNAVAILABLE = "ClusterUnavailable"
    CLUSTER_FORBIDDEN = "ClusterForbidden"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    INTERNAL_ERROR = "InternalError"

    # the request itself
    BODY_INVALID = "BodyInvalid"
    BODY_TOO_LARGE = "BodyTooLarge"
    NOT_JSON = "NotJson"
    TOKEN_INVALID = "TokenInvalid"  # noqa: S105 - a reason, not a secret
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    UNKNOWN_PATH = "UnknownPath"
