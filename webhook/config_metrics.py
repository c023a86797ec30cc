"""What Prometheus scrapes from `lockstep serve-config`; labels are our own few words."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.exposition import generate_latest

from webhook import __version__

disable_created_metrics()  # type: ignore[no-untyped-call]


class ConfigMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "lockstep_config_requests", "Requests answered.", ("code",), registry=registry
        )
        self.watch_restarts = Counter(
            "lockstep_config_watch_restarts", "Watches that broke and started over.", ("watch",),
            registry=registry,
        )  # fmt: skip
        self.watch_contact = Gauge(
            "lockstep_config_watch_contact_timestamp_seconds", "When a list or a change last came.",
            ("watch",), registry=registry,
        )  # fmt: skip
        info = Gauge("lockstep_config_build_info", "Always 1.", ("version",), registry=registry)
        info.labels(__version__).set(1)

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)

    def answered(self, code: int) -> None:
        """Count an answer; only statuses that the code itself sends come here."""
        self.requests.labels(str(code)).inc()

    def heard(self, watch: str) -> None:
        """Note that a watch is alive."""
        self.watch_contact.labels(watch).set(time.time())

    def restarted(self, watch: str) -> None:
        """Count a watch that broke."""
        self.watch_restarts.labels(watch).inc()
