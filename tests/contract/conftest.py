"""The API server under test: ours, and a real kube-apiserver; both pass the same tests."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests

from tests.cluster.controlplane import ADMIN, ControlPlane
from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store
from webhook.kinds import CONFIG_MAP, Kind, Name

MERGE_PATCH = "application/merge-patch+json"
PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Api:
    """Plain HTTP to one API server, in one namespace."""

    url: str
    namespace: str
    session: requests.Session
    connect: Callable[[], requests.Session]

    def path(self, kind: Kind, name: str = "") -> str:
        return kind.path(Name(self.namespace, name))

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=PATIENCE, **options)

    def create(self, kind: Kind, obj: dict[str, Any]) -> requests.Response:
        return self.call("POST", self.path(kind), json=obj)

    def made(self, name: str = "x", **members: Any) -> dict[str, Any]:
        """A ConfigMap that was created; `labels` go to its metadata."""
        labels = members.pop("labels", {})
        answer = self.create(CONFIG_MAP, {"metadata": {"name": name, "labels": labels}, **members})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def get(self, kind: Kind, name: str) -> requests.Response:
        return self.call("GET", self.path(kind, name))

    def list(self, kind: Kind, **query: str) -> requests.Response:
        return self.call("GET", self.path(kind), params=query)

    def patch(self, kind: Kind, name: str, patch: object) -> requests.Response:
        headers = {"Content-Type": MERGE_PATCH}
        return self.call("PATCH", self.path(kind, name), data=json.dumps(patch), headers=headers)

    def delete(self, kind: Kind, name: str) -> requests.Response:
        return self.call("DELETE", self.path(kind, name))

    @contextmanager
    def watch(self, kind: Kind, **query: object) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a watch, one by one."""
        params = {"watch": "true", "timeoutSeconds": 5, **query}
        with self.call("GET", self.path(kind), params=params, stream=True) as answer:
            assert answer.status_code == 200, answer.text
            yield (json.loads(line) for line in answer.iter_lines(chunk_size=None))

    @contextmanager
    def another(self) -> Iterator[Api]:
        """The same by a connection of its own, for another thread."""
        with self.connect() as session:
            yield replace(self, session=session)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an API server is, and how to be let in."""

    url: str
    ca: str = ""
    token: str = ""

    def connect(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = self.ca or True
        if self.token:
            session.headers["Authorization"] = f"Bearer {self.token}"
        return session


@pytest.fixture(scope="session", params=["ours", pytest.param("real", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest) -> Iterator[Address]:
    if request.param == "real":
        plane: ControlPlane = request.getfixturevalue("plane")
        yield Address(plane.url, plane.ca, ADMIN)
        return
    with ApiServer(Store()) as server:
        yield Address(server.url)


@pytest.fixture
def api(address: Address) -> Iterator[Api]:
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    with address.connect() as session:
        api = Api(address.url, namespace, session, address.connect)
        if address.token:
            body = {"metadata": {"name": namespace}}
            assert api.call("POST", "/api/v1/namespaces", json=body).status_code == 201
        yield api


@pytest.fixture
def store() -> Store:
    return Store(window=5)


@pytest.fixture
def server(store: Store) -> Iterator[ApiServer]:
    with ApiServer(store) as server:
        yield server


@pytest.fixture
def ours(server: ApiServer) -> Iterator[Api]:
    """Our own server, even where the contract is tested against a real one."""
    with requests.Session() as session:
        session.trust_env = False
        yield Api(server.url, "test", session, Address(server.url).connect)
