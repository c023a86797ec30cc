"""What Prometheus scrapes, declared once. Shares and ceilings are percentages 0-100.

Labels are bounded by objects in the cluster and by our own words, never by what a caller
sends; the series of a deleted canary go.
"""

import threading
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from webhook import __version__
from webhook.kinds import Name
from webhook.reconciler import WriteResult
from webhook.targets import Mode

# Else every counter has a second series, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]

_CANARY = ("namespace", "canary")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._targets: dict[Name, frozenset[str]] = {}
        self.registry = registry = CollectorRegistry()
        self.routed_share = Gauge(
            "lockstep_routed_share", "What the router sends to the canary.", _CANARY,
            registry=registry,
        )  # fmt: skip
        self.client_share = Gauge(
            "lockstep_client_share", "The number in a target.", (*_CANARY, "configmap"),
            registry=registry,
        )  # fmt: skip
        self.in_step = Gauge(
            "lockstep_in_step", "1 while every target has the desired share.", _CANARY,
            registry=registry,
        )  # fmt: skip
        self.ceiling = Gauge(
            "lockstep_ceiling", "The bound of an announcement, while one is in force.", _CANARY,
            registry=registry,
        )  # fmt: skip
        self.sync_seconds = Histogram(
            "lockstep_sync_seconds", "How long a reconcile took.", ("trigger",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.hook_seconds = Histogram(
            "lockstep_hook_seconds", "How long a hook's answer took.", ("hook", "code"),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.gate_refusals = Counter(
            "lockstep_gate_refusals", "Gates that held Flagger.", ("hook", "reason"),
            registry=registry,
        )  # fmt: skip
        self.writes = Counter(
            "lockstep_writes", "Writes to targets.", ("mode", "result"), registry=registry
        )
        for mode, result in product(Mode, WriteResult):
            self.writes.labels(mode.value, result.value)  # or the first one is no increase
        self.api_errors = Counter(
            "lockstep_api_errors", "Requests the API server failed or refused.", ("verb",),
            registry=registry,
        )  # fmt: skip
        self.watch_restarts = Counter(
            "lockstep_watch_restarts", "Watches that broke and started over.", ("resource",),
            registry=registry,
        )  # fmt: skip
        self.watch_contact = Gauge(
            "lockstep_watch_contact_timestamp_seconds", "When a watch last heard something.",
            ("resource",), registry=registry,
        )  # fmt: skip
        self.hook_last = Gauge(
            "lockstep_hook_last_timestamp_seconds", "When a hook last arrived.", ("hook",),
            registry=registry,
        )  # fmt: skip
        info = Gauge("lockstep_build_info", "Always 1.", ("version",), registry=registry)
        info.labels(__version__).set(1)

    def api_error(self, verb: str) -> None:
        """Count a request that the API server failed."""
        self.api_errors.labels(verb).inc()

    def unheard(self, resource: str) -> None:
        """Drop the series of a watch that nobody needs any more."""
        self.watch_contact.remove_by_labels({"resource": resource})

    def heard(self, resource: str) -> None:
        """Note that a watch is alive."""
        self.watch_contact.labels(resource).set(time.time())

    def restarted(self, resource: str) -> None:
        """Count a watch that broke."""
        self.watch_restarts.labels(resource).inc()

    def set_ceiling(self, ref: Name, value: int | None) -> None:
        """Set the ceiling in force; None takes its series away."""
        if value is None:
            self.ceiling.remove_by_labels(_labels(ref))
        else:
            self.ceiling.labels(ref.namespace, ref.name).set(value)

    def set_targets(self, ref: Name, shares: Mapping[str, float]) -> None:
        """Set the client share of each of a canary's targets, and drop those it has no more."""
        with self._lock:
            gone = self._targets.get(ref, frozenset()) - shares.keys()
            self._targets[ref] = frozenset(shares)
        for name in gone:
            self.client_share.remove_by_labels(_labels(ref) | {"configmap": name})
        for name, share in shares.items():
            self.client_share.labels(ref.namespace, ref.name, name).set(share)

    def forget(self, ref: Name) -> None:
        """Drop every series of a canary that is gone."""
        with self._lock:
            self._targets.pop(ref, None)
        for gauge in (self.routed_share, self.client_share, self.in_step, self.ceiling):
            gauge.remove_by_labels(_labels(ref))

    def keep(self, refs: AbstractSet[Name]) -> None:
        """Drop the series of every canary but these: a late hook may have brought them back."""
        with self._lock:
            gone = self._targets.keys() - refs
        for ref in gone:
            self.forget(ref)

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)


def _labels(ref: Name) -> dict[str, str]:
    return {"namespace": ref.namespace, "canary": ref.name}
