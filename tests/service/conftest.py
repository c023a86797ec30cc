"""The real service on the in-memory API server, over HTTP; only gunicorn is left out."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from kubernetes.client import Configuration
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from tests import world
from tests.waiting import wait_for
from webhook import kinds
from webhook.app import hooks_app
from webhook.cluster import Cluster
from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store
from webhook.kinds import Kind, Name
from webhook.logs import JsonFormatter
from webhook.metrics import Metrics
from webhook.reflector import Pace
from webhook.service import Service, build
from webhook.settings import Settings

PAYLOAD = {"name": "web", "namespace": "test", "phase": "Progressing", "checksum": "1"}


def event(message: str, at: float | None = None) -> dict[str, Any]:
    milliseconds = str(round((time.time() if at is None else at) * 1000))
    metadata = {"eventMessage": message, "eventType": "Normal", "timestamp": milliseconds}
    return PAYLOAD | {"metadata": metadata}


@dataclass
class Lab:
    """A cluster with one canary, and a Lockstep that answers its hooks."""

    api: ApiServer
    store: Store
    cluster: Cluster
    service: Service
    client: FlaskClient
    lines: "Lines"

    def hook(self, name: str, payload: Any = PAYLOAD) -> TestResponse:
        body = json.dumps(payload)
        return self.client.post(f"/{name}", data=body, content_type="application/json")

    def share(self, name: Name = world.VARS) -> int:
        return world.client_share(self.store, name)

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum over the series that have these labels; None where there is none."""
        text = self.service.metrics.text().decode()
        samples = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(samples) if samples else None

    def told(self) -> list[dict[str, Any]]:
        """The Kubernetes Events so far, the oldest first."""
        events: Any = self.store.list(kinds.EVENT)[0]
        return sorted(events, key=lambda it: int(it["metadata"]["resourceVersion"]))

    def writes(self, kind: Kind = kinds.CONFIG_MAP) -> int:
        return sum(it.kind == kind and it.verb == "patch" for it in self.store.history())


@dataclass
class Lines(logging.Handler):
    """The log lines, as they would be printed."""

    seen: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(json.loads(self.format(record)))

    def having(self, **fields: object) -> list[dict[str, Any]]:
        return [line for line in self.seen if fields.items() <= line.items()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logger = logging.getLogger("lockstep")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


MakeLab = Callable[..., Lab]


@pytest.fixture
def make_lab(lines: Lines) -> Iterator[MakeLab]:
    """A function from a store (a rollout at 25 % if not told) and settings to a lab."""
    opened: list[Callable[[], object]] = []

    def make(
        store: Store | None = None,
        *,
        start: bool = False,
        pace: Pace | None = None,
        **settings: Any,
    ) -> Lab:
        store = store or world.rollout()
        api = ApiServer(store)
        api.__enter__()
        opened.append(lambda: api.__exit__(None, None, None))
        configuration = Configuration()
        configuration.host = api.url
        metrics = Metrics()
        cluster = Cluster(configuration, metrics.api_error)
        opened.append(cluster.close)
        service = build(Settings(**settings), cluster, metrics, pace or Pace())
        if start:
            service.start()
            opened.append(service.stop)
            wait_for(lambda: not service.watcher.missing())
        client = hooks_app(service.hooks).test_client()
        return Lab(api, store, cluster, service, client, lines)

    yield make
    for close in reversed(opened):
        close()


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab()


Configure = Callable[..., None]


@pytest.fixture
def kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Configure:
    """A function that makes a kubeconfig for a server, whose context has a namespace or none."""

    def configure(server: str, namespace: str | None = "test") -> None:
        context = {"cluster": "c"} | ({"namespace": namespace} if namespace else {})
        path = tmp_path / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": context}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
        }
        path.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(path))

    return configure
