"""One canary in a namespace of its own, and the steps that a scenario takes with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.client import ApiError, Json
from tests.cluster.front import CHECK
from tests.cluster.lab import Lab, application
from tests.cluster.law import is_router, labelled, share
from tests.cluster.observer import Scene, routed

HOOKS = (
    "confirm-rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion",
    "rollback", "post-rollout", "event",
)  # fmt: skip
"""As flagger/canary.yaml has them."""

RETRIED = ("pre-rollout", "post-rollout", "event")
"""Those that Flagger tries again where they fail with 5xx or a lost connection; the same file."""

MINIMAL = ("pre-rollout", "confirm-promotion")
NAME = "frontend"
_PATIENCE = 150.0
"""Seconds for a canary to come to a phase; its interval is 10 s."""

_LOOK = 5.0
"""Seconds between two looks whether Flagger still runs."""


@dataclass(frozen=True)
class Rollout:
    """A namespace's canary; `spec` and `analysis` are laid over the ordinary ones."""

    lab: Lab
    namespace: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    analysis: Mapping[str, Any] = field(default_factory=dict)
    hooks: Sequence[str] = HOOKS
    workload: str = "Deployment"
    retries: int = 2

    def create(self) -> None:
        """Make everything that an application's owner makes, and wait for Flagger to take it."""
        for obj in application(self.namespace):
            self.lab.client.apply(obj)
        self.lab.client.apply(self._workload("web:1"))
        for obj in self._routes():
            self.lab.client.apply(obj)
        self.lab.client.apply(self.canary)
        self.reaches("Initialized")

    @property
    def canary(self) -> Json:
        """The Canary as its owner wrote it."""
        webhooks: list[Json] = [
            {"name": hook, "type": hook, "url": f"{self.lab.front.url}/{hook}", "timeout": "5s"}
            | ({"retries": self.retries} if hook in RETRIED else {})
            for hook in self.hooks
        ]
        check = f"{self.lab.front.url}/{CHECK}"
        webhooks.append({"name": CHECK, "type": "rollout", "url": check, "timeout": "5s"})
        steps: Json = {} if _unstepped(self.analysis) else {"stepWeight": 25, "maxWeight": 50}
        analysis = {"interval": "10s", "threshold": 3, **steps, **self.analysis}
        spec: Json = {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": self.workload, "name": NAME},
            "progressDeadlineSeconds": 60,
            "service": {"port": 80, "hosts": [f"{self.namespace}.test"]},
            "analysis": {**analysis, "webhooks": webhooks},
            **self.spec,
        }
        if spec["provider"].startswith("gatewayapi"):
            gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
            reference = {**gateway, "name": "gw", "namespace": "default"}
            spec["service"] = {**spec["service"], "gatewayRefs": [reference]}
        return {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": spec,
        }

    def release(self, image: str = "web:2") -> None:
        """Roll out another image."""
        containers = [{"name": "web", "image": image}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        self.lab.client.patch(self.found(self.workload), patch)

    def scale(self, replicas: int) -> None:
        """Scale the canary's Deployment by hand."""
        self.lab.client.patch(self.found("Deployment"), {"spec": {"replicas": replicas}})

    def change(self, **spec: object) -> None:
        """Change the Canary's spec."""
        self.lab.client.patch(self.canary, {"spec": spec})

    def annotate(self, **annotations: str | None) -> None:
        """Set brakes, or with None take them off."""
        notes = {f"lockstep/{key}": value for key, value in annotations.items()}
        self.lab.client.patch(self.canary, {"metadata": {"annotations": notes}})

    def route_by_hand(self, share: int) -> None:
        """Edit the HTTPRoute past Flagger."""
        route = self.scene.latest["HTTPRoute", NAME]
        rules = deepcopy(route["spec"]["rules"])
        for rule in rules:
            for backend in rule["backendRefs"]:
                canary = backend["name"].endswith("-canary")
                backend["weight"] = share if canary else 100 - share
        self.lab.client.patch(route, {"spec": {"rules": rules}})

    def delete(self) -> None:
        """Delete the Canary, and wait until it is gone."""
        with contextlib.suppress(ApiError):
            self.lab.client.delete(self.canary)
        self.waits(lambda: self._latest("Canary") is None, "its Canary is gone")

    def reaches(self, *phases: str) -> None:
        """Wait until the Canary is in one of the phases."""
        self.waits(lambda: self.phase in phases, f"it is {' or '.join(phases)}")

    def routes(self, share: int) -> None:
        """Wait until the router sends that share to the canary."""
        self.waits(lambda: self.routed == share, f"{share} % are routed")

    def gives(self, share: int) -> None:
        """Wait until browsers are given that share."""
        self.waits(lambda: self.client_share == share, f"browsers are given {share} %")

    def waits(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something that is seen by the observer.

        Raises:
            TimeoutError: it is not, for longer than any path of Flagger's takes.
            RuntimeError: Flagger has crashed.
        """
        for _ in range(round(_PATIENCE / _LOOK)):
            if self.scene.wait(condition, _LOOK):
                return
            self.lab.flagger.check()
        raise TimeoutError(f"{self.namespace}: not in {_PATIENCE:g} s: {what} (now {self})")

    @property
    def scene(self) -> Scene:
        """What the observer sees of it."""
        return self.lab.observer.of(self.namespace)

    @property
    def phase(self) -> str:
        """What Flagger says."""
        return str((self._latest("Canary") or {}).get("status", {}).get("phase", ""))

    @property
    def routed(self) -> int:
        """What the router does."""
        found = self.scene.latest.items()
        return max((routed(obj) for (kind, _), obj in found if is_router(kind)), default=0)

    @property
    def client_share(self) -> int:
        """What browsers are given at most."""
        found = (obj for (kind, _), obj in self.scene.latest.items() if kind == "ConfigMap")
        return max((share(obj) for obj in found if labelled(obj)), default=0)

    def __str__(self) -> str:
        """For an error's message."""
        return f"{self.phase or 'no phase'}, {self.routed} % routed"

    def _latest(self, kind: str) -> Json | None:
        return self.scene.latest.get((kind, NAME))

    def found(self, kind: str) -> Json:
        """The newest `frontend` of a kind; there must be one."""
        found = self._latest(kind)
        assert found, f"{self.namespace} has no {kind} {NAME}"
        return found

    def _workload(self, image: str) -> Json:
        labels = {"app": NAME}
        ports = [{"containerPort": 80}]
        pod = {"containers": [{"name": "web", "image": image, "ports": ports}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        scale = {"replicas": 1} if self.workload == "Deployment" else {}
        return {
            "apiVersion": "apps/v1",
            "kind": self.workload,
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": template, **scale},
        }

    def _routes(self) -> list[Json]:
        """The routes of one's own that some providers start from."""
        where = {"name": NAME, "namespace": self.namespace}
        if "ingressRef" in self.spec:
            service = {"service": {"name": NAME, "port": {"number": 80}}}
            paths = [{"path": "/", "pathType": "Prefix", "backend": service}]
            rules = [{"host": f"{self.namespace}.test", "http": {"paths": paths}}]
            kind = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
            # Flagger 1.44 panics on an Ingress for Skipper that has no annotation at all.
            notes = {"annotations": {"kubernetes.io/ingress.class": "nginx"}}
            return [{**kind, "metadata": {**where, **notes}, "spec": {"rules": rules}}]
        if "routeRef" in self.spec:
            backends = [{"serviceName": NAME, "servicePort": 80}]
            match = {"hosts": [f"{self.namespace}.test"], "paths": ["/*"], "methods": ["GET"]}
            http = [{"name": "method", "match": match, "backends": backends}]
            kind = {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute"}
            return [{**kind, "metadata": where, "spec": {"http": http}}]
        return []


def _unstepped(analysis: Mapping[str, Any]) -> bool:
    return "iterations" in analysis or "stepWeights" in analysis
