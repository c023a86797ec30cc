"""What Lockstep needs to know of a Flagger Canary and of the workload it releases."""

from dataclasses import dataclass
from enum import StrEnum

from webhook import duration, kinds
from webhook.fields import (
    PERCENTAGE,
    FieldError,
    Object,
    epoch,
    find,
    objects,
    required_text,
    strings,
    text,
)
from webhook.kinds import Kind, Name

SCALE_TO_ZERO = "flagger.app/scale-to-zero"
"""The node selector with which Flagger scales a DaemonSet to zero."""

WORKLOADS = (kinds.DEPLOYMENT, kinds.DAEMON_SET, kinds.SERVICE, kinds.KNATIVE_SERVICE)
"""What Flagger can release."""


class Phase(StrEnum):
    """`status.phase` as Flagger writes it; empty before its first look at a Canary."""

    NEW = ""
    INITIALIZING = "Initializing"
    INITIALIZED = "Initialized"
    WAITING = "Waiting"
    PROGRESSING = "Progressing"
    WAITING_PROMOTION = "WaitingPromotion"
    PROMOTING = "Promoting"
    FINALISING = "Finalising"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    UNKNOWN = "Unknown"

    @classmethod
    def _missing_(cls, value: object) -> "Phase":  # noqa: ARG003 - enum's signature
        return cls.UNKNOWN  # a newer Flagger's: treated as a rollout under way


_BEFORE_FIRST = frozenset({Phase.NEW, Phase.INITIALIZING})

_AT_REST = frozenset(
    {Phase.NEW, Phase.INITIALIZING, Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED}
)


@dataclass(frozen=True)
class MeshDefaults:
    """What Flagger's own flags say where a Canary says nothing."""

    provider: str = "istio"
    ingress_prefix: str = "nginx.ingress.kubernetes.io"


@dataclass(frozen=True, slots=True)
class Brakes:
    """What an operator asked for by annotations on the Canary.

    `cap` is a percentage 0-100; `cap_error` says what is wrong with one that does not parse.
    """

    hold: bool = False
    rollback: bool = False
    cap: int | None = None
    cap_error: str = ""


@dataclass(frozen=True, slots=True)
class Canary:
    """A Canary as read; `apex` is the service whose `-primary` and `-canary` Flagger weighs."""

    ref: Name
    apex: str
    target: Name
    target_kind: Kind
    provider: str = "istio"
    uid: str = ""
    phase: Phase = Phase.NEW
    deleting: bool = False
    ingress: str = ""
    ingress_prefix: str = MeshDefaults.ingress_prefix
    route: str = ""
    ab_test: bool = False
    cookies: tuple[str, ...] = ()
    interval: float = 60.0
    last_applied_spec: str = ""
    last_transition: float = 0.0
    brakes: Brakes = Brakes()

    @property
    def under_way(self) -> bool:
        """Whether a rollout may be shifting traffic, so that a missing router is a fault."""
        return self.phase not in _AT_REST

    @property
    def before_first(self) -> bool:
        """Whether Flagger has not yet set it up, and will scale the canary to 0 unannounced.

        What a router object that is there already sends to it is of another time.
        """
        return self.phase in _BEFORE_FIRST

    @property
    def unweighted(self) -> bool:
        """Whether no weight of Flagger's applies to ordinary traffic, so that the share is 0.

        So with provider `kubernetes`, and in an A/B test (`analysis.match`).
        """
        return self.provider == "kubernetes" or self.ab_test


def parse(obj: Object, mesh: MeshDefaults) -> Canary:
    """The Canary that the API server returned.

    Raises:
        FieldError: a field that Flagger's CRD promises is missing or of another type.
    """
    ref = Name(required_text(obj, "metadata", "namespace"), required_text(obj, "metadata", "name"))
    target = required_text(obj, "spec", "targetRef", "name")
    # Flagger still reads the deprecated field where the new one is absent.
    analysis = find(obj, "spec", "analysis")
    analysis = find(obj, "spec", "canaryAnalysis") if analysis is None else analysis
    return Canary(
        ref=ref,
        apex=text(obj, "spec", "service", "name") or target,
        target=Name(ref.namespace, target),
        target_kind=_workload_kind(obj),
        provider=text(obj, "spec", "provider") or mesh.provider,
        uid=text(obj, "metadata", "uid") or "",
        phase=Phase(text(obj, "status", "phase") or ""),
        deleting=find(obj, "metadata", "deletionTimestamp") is not None,
        ingress=text(obj, "spec", "ingressRef", "name") or "",
        ingress_prefix=mesh.ingress_prefix,
        route=text(obj, "spec", "routeRef", "name") or "",
        ab_test=any(True for _ in objects(analysis, "match")),
        cookies=_cookies(analysis),
        interval=_interval(text(analysis, "interval")),
        last_applied_spec=text(obj, "status", "lastAppliedSpec") or "",
        last_transition=_timestamp(text(obj, "status", "lastTransitionTime")),
        brakes=brakes(obj),
    )


def running(kind: Kind, workload: Object | None) -> bool:
    """Whether the canary workload may have pods; a missing one (None) has none.

    Flagger sets a Deployment's `spec.replicas` to 0, and a DaemonSet's node selector to one
    that no node has. A Service, core or Knative's, it never scales (its `ScaleToZero` does
    nothing for both), so the canary answers for as long as there is one.
    """
    if workload is None:
        return False
    if kind == kinds.DAEMON_SET:
        selector = strings(workload, "spec", "template", "spec", "nodeSelector")
        return SCALE_TO_ZERO not in selector
    return kind != kinds.DEPLOYMENT or find(workload, "spec", "replicas") != 0


def brakes(obj: Object) -> Brakes:
    """What an operator asked for on this Canary, whatever else is wrong with it.

    Raises:
        FieldError: its annotations are no map of strings.
    """
    annotations = strings(obj, "metadata", "annotations")
    cap, error = _cap(annotations.get("lockstep/cap"))
    return Brakes(
        hold=annotations.get("lockstep/hold") == "true",
        rollback=annotations.get("lockstep/rollback") == "true",
        cap=cap,
        cap_error=error,
    )


def _workload_kind(obj: Object) -> Kind:
    """The kind as Flagger tells it: by its name alone, but for the two that are Services."""
    name = required_text(obj, "spec", "targetRef", "kind")
    if name == kinds.KNATIVE_SERVICE.kind:
        version = text(obj, "spec", "targetRef", "apiVersion")
        knative = version == kinds.KNATIVE_SERVICE.api_version
        return kinds.KNATIVE_SERVICE if knative else kinds.SERVICE
    known = {kind.kind: kind for kind in WORKLOADS}
    if name not in known:
        raise FieldError(f"spec.targetRef.kind is {name}; Lockstep knows {', '.join(known)}")
    return known[name]


def _cookies(analysis: object) -> tuple[str, ...]:
    names = (
        text(analysis, "sessionAffinity", field) for field in ("cookieName", "primaryCookieName")
    )
    return tuple(name for name in names if name)


def _interval(interval: str | None) -> float:
    try:
        return max(10.0, duration.seconds(interval or "60s"))  # Flagger's least, and its default
    except ValueError:
        return 60.0  # what Flagger falls back to


def _timestamp(rfc3339: str | None) -> float:
    if not rfc3339:
        return 0.0
    try:
        return epoch(rfc3339)
    except ValueError as error:
        raise FieldError(f"status.lastTransitionTime: {error}") from error


def _cap(value: str | None) -> tuple[int | None, str]:
    if value is None:
        return None, ""
    if not PERCENTAGE.fullmatch(value):
        return None, f"annotation lockstep/cap is {value!r}, not a whole number from 0 to 100"
    return int(value), ""
