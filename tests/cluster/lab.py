"""A cluster in which real canaries are rolled out: Flagger, Lockstep and what is around them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import requests
import yaml

from tests.cluster import kinds, programs
from tests.cluster.client import Client, Json
from tests.cluster.controlplane import ControlPlane, beside, control_plane
from tests.cluster.front import Front
from tests.cluster.kubelet import Kubelet
from tests.cluster.observer import Observer
from tests.cluster.programs import Process, free_port, wait_for

ROOT = Path(__file__).parents[2]
SYSTEM = "lockstep-system"


class Replica(Process):
    """`lockstep serve` as a process, under the service account of manifests/base."""

    def __init__(self, plane: ControlPlane, name: str, **settings: str) -> None:
        hooks, read = free_port(), free_port()
        self.hooks_url, self.read_url = f"http://127.0.0.1:{hooks}", f"http://127.0.0.1:{read}"
        token = plane.service_account_token(SYSTEM, "lockstep")
        environment = {
            "KUBECONFIG": plane.kubeconfig(name, token),
            "LOCKSTEP_HOOKS_BIND": f"127.0.0.1:{hooks}",
            "LOCKSTEP_READ_BIND": f"127.0.0.1:{read}",
        }
        command = [sys.executable, "-m", "webhook", "serve"]
        super().__init__(name, command, plane.folder / f"{name}.log", environment | settings)

    def synced(self) -> bool:
        """Whether it is ready: its watches have begun."""
        return programs.answers(f"{self.read_url}/readyz")

    def metrics(self) -> str:
        """What Prometheus would be told."""
        return requests.get(f"{self.read_url}/metrics", timeout=5).text


class ConfigEndpoint(Process):
    """`lockstep serve-config` as a process, under its service account of manifests/base."""

    def __init__(self, plane: ControlPlane) -> None:
        config, read = free_port(), free_port()
        self.url, self.read_url = f"http://127.0.0.1:{config}", f"http://127.0.0.1:{read}"
        token = plane.service_account_token(SYSTEM, "lockstep-config")
        environment = {
            "KUBECONFIG": plane.kubeconfig("lockstep-config", token),
            "LOCKSTEP_CONFIG_BIND": f"127.0.0.1:{config}",
            "LOCKSTEP_READ_BIND": f"127.0.0.1:{read}",
        }
        command = [sys.executable, "-m", "webhook", "serve-config"]
        super().__init__("lockstep-config", command, plane.folder / "config.log", environment)

    def synced(self) -> bool:
        """Whether it is ready: its watches have begun."""
        return programs.answers(f"{self.read_url}/readyz")


@dataclass
class Lab:
    """What runs, and what is seen of it."""

    plane: ControlPlane
    client: Client
    kubelet: Kubelet
    observer: Observer
    front: Front
    flagger: Process
    replicas: list[Replica] = field(default_factory=list)
    settings: Mapping[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start_replica(self, **settings: str) -> Replica:
        """One more `lockstep serve`, ready, to which hooks are passed on."""
        name = f"lockstep-{len(self.replicas)}"
        replica = Replica(self.plane, name, **{**self.settings, **settings})
        self._stack.callback(replica.stop)
        replica.ready(replica.synced)
        self.replicas.append(replica)
        self.front.replicas.append(replica.hooks_url)
        return replica

    def part(self, namespace: str, front: Front) -> Lab:
        """The same cluster with a front and replicas for one namespace alone."""
        folder = self.plane.folder / namespace
        folder.mkdir()
        plane = replace(self.plane, folder=folder)
        settings = {"LOCKSTEP_NAMESPACE": namespace}
        return replace(self, plane=plane, front=front, replicas=[], settings=settings)

    def settled(self, namespace: str) -> None:
        """Wait until the observer has heard all that was stored so far.

        Raises:
            TimeoutError: it has not.
        """
        told = partial(self.observer.up_to_date, namespace)
        wait_for(told, f"the observer has heard of all in {namespace}", 10)


@contextmanager
def lab(folder: Path, *, flux: bool = False, aside: bool = False) -> Iterator[Lab]:
    """A cluster of its own with Flagger in it, and Lockstep's manifests applied; no replica yet.

    `aside`: the observer, the kubelet and the test have an API server of their own, so that they
    see and do everything while that of Flagger and Lockstep is away.
    """
    with ExitStack() as stack:
        plane = stack.enter_context(control_plane(folder))
        client = plane.client()
        kinds.install(client, flux=flux)
        if aside:
            client = stack.enter_context(beside(plane)).client()
            kinds.served(client)
        plane.kubectl("apply", "-k", str(ROOT / "manifests" / "base"))
        kubelet = stack.enter_context(Kubelet(client))
        observer = stack.enter_context(Observer(client))
        front = stack.enter_context(Front())
        flagger = start_flagger(plane)
        stack.callback(flagger.stop)
        made = Lab(plane, client, kubelet, observer, front, flagger)
        stack.callback(made._stack.close)
        yield made


def start_flagger(plane: ControlPlane) -> Process:
    """The real Flagger, which checks no metrics here: canaries bring their own `rollout` hook."""
    port = free_port()
    command = [
        programs.find()["flagger"],
        f"-kubeconfig={plane.kubeconfig('flagger')}",
        "-mesh-provider=gatewayapi:v1",
        "-metrics-server=http://127.0.0.1:1",
        "-control-loop-interval=1s",
        f"-port={port}",
        "-log-level=info",
        "-kubeconfig-qps=1000",
        "-kubeconfig-burst=1000",
        "-threadiness=8",
    ]
    process = Process("flagger", command, plane.folder / "flagger.log")
    process.ready(lambda: programs.answers(f"http://127.0.0.1:{port}/healthz"))
    return process


def application(namespace: str) -> list[Json]:
    """manifests/app as it is, for another namespace: the variable, and the right to patch it."""
    rendered = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "manifests" / "app")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    objects: list[Json] = [it for it in yaml.safe_load_all(rendered.stdout) if it]
    for obj in objects:
        obj["metadata"]["namespace"] = namespace
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *objects,
    ]
