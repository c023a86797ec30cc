"""An API server by what these tests need of it: the real one where it is built, else our own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.cluster.controlplane import ControlPlane
from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store

Json = dict[str, Any]


class Cluster(Protocol):
    """Objects can be put there, and the server can be made to hang."""

    @property
    def kubeconfig(self) -> Path: ...

    def put(self, obj: Json) -> None:
        """Create or change the object."""

    def stall(self) -> None:
        """Let every request hang."""

    def go_on(self) -> None:
        """End a stall."""


@dataclass
class Ours:
    """The in-memory API server."""

    kubeconfig: Path
    store: Store
    server: ApiServer

    def put(self, obj: Json) -> None:
        self.store.put(obj)

    def stall(self) -> None:
        self.server.pause()

    def go_on(self) -> None:
        self.server.resume()


@dataclass
class Real:
    """kube-apiserver on etcd."""

    kubeconfig: Path
    plane: ControlPlane

    def put(self, obj: Json) -> None:
        client = self.plane.client()
        try:
            client.apply(obj)
            if "status" in obj:
                client.patch(obj, {"status": obj["status"]}, sub="status")
        finally:
            client.close()

    def stall(self) -> None:
        self.plane.api_server.stall()

    def go_on(self) -> None:
        self.plane.api_server.go_on()


@contextmanager
def ours(folder: Path) -> Iterator[Ours]:
    store = Store()
    with ApiServer(store) as server:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "clusters": [{"name": "lab", "cluster": {"server": server.url}}],
            "users": [{"name": "lab", "user": {}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        yield Ours(path, store, server)


def real(plane: ControlPlane, namespace: str) -> Real:
    client = plane.client()
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    client.apply(body)
    client.close()
    return Real(Path(plane.kubeconfig("frontend")), plane)
