"""The cluster's content: canaries in mid-rollout, in step, ten in each namespace."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from benchmarks.api import Api
from webhook import kinds, targets
from webhook.fields import Object
from webhook.kinds import Kind, Name

SHARE = 25
"""What each canary's router sends to it, and each target says, to begin with: percent."""

_PER_NAMESPACE = 10
_CREATORS = 8
_EXAMPLE = Path(__file__).parents[1] / "flagger/canary.yaml"


def ref(number: int) -> Name:
    """The name of a canary; its workload's, router's and target's too."""
    return Name(f"team-{number // _PER_NAMESPACE}", f"web-{number}")


def new_namespaces(first: int, end: int) -> list[str]:
    """The namespaces of the canaries from `first` to `end` that those before have not."""
    there = {ref(number).namespace for number in range(first)}
    return sorted({ref(number).namespace for number in range(first, end)} - there)


def create(api: Api, numbers: Iterable[int]) -> None:
    """Create these canaries with all that belongs to them."""
    with ThreadPoolExecutor(_CREATORS) as pool:
        list(pool.map(lambda number: _create(api, ref(number)), numbers))


def route(name: Name, share: int) -> Object:
    """A merge patch, and the spec of an HTTPRoute, that sends `share` percent to the canary."""
    weights = {f"{name.name}-primary": 100 - share, f"{name.name}-canary": share}
    backends = [
        {"group": "", "kind": "Service", "name": service, "port": 80, "weight": weight}
        for service, weight in weights.items()
    ]
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}]
    return {"spec": {"rules": [{"matches": matches, "backendRefs": backends}]}}


def _create(api: Api, name: Name) -> None:
    bodies: dict[Kind, Object] = {
        kinds.CONFIG_MAP: _target(name),
        kinds.CANARY: _canary(name),
        kinds.DEPLOYMENT: _deployment(name),
        kinds.HTTP_ROUTE: route(name, SHARE),
    }
    for kind, body in bodies.items():
        labels = {targets.LABEL: name.name}
        head = {"apiVersion": kind.api_version, "kind": kind.kind}
        metadata = {"name": name.name, "namespace": name.namespace, "labels": labels}
        api.create(kind, {**head, "metadata": metadata, **body}, name.namespace)


def _target(_name: Name) -> Object:
    """A ConfigMap as a frontend mounts it, with flags of its own beside the number."""
    flags = {f"feature-{number}": number % 2 == 0 for number in range(20)}
    config = {"FEATURE_FLAGS": flags, targets.RELEASE: "", targets.NUMBER: SHARE}
    return {"data": {"config.json": json.dumps(config, indent=2)}}


def _canary(name: Name) -> Object:
    """The example Canary with all its hooks, as Flagger leaves it between two steps."""
    spec = yaml.safe_load(_EXAMPLE.read_text())["spec"]
    spec["targetRef"]["name"] = name.name
    status = {
        "phase": "Progressing",
        "canaryWeight": SHARE,
        "failedChecks": 0,
        "iterations": 0,
        "lastAppliedSpec": "6f7b58d9c4",
        "lastTransitionTime": "2026-11-24T00:00:00Z",
    }
    return {"spec": spec, "status": status}


def _deployment(name: Name) -> Object:
    labels = {"app": name.name}
    container = {
        "name": "nginx",
        "image": "registry.example/frontend:1.2.3",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}}
