"""A namespace with one canary in it, as objects: what Flagger and an application's owner made."""

import json
from typing import Any

from webhook import kinds
from webhook.demo.store import Store
from webhook.kinds import Name

Json = dict[str, Any]
NAMESPACE = "test"
VARS = Name(NAMESPACE, "canary-vars")
SETTINGS = Name(NAMESPACE, "canary-settings")
WEB = Name(NAMESPACE, "web")


def canary(phase: str = "Progressing", annotations: dict[str, str] | None = None) -> Json:
    return {
        "apiVersion": kinds.CANARY.api_version,
        "kind": "Canary",
        "metadata": {
            "name": WEB.name, "namespace": NAMESPACE, "uid": "u-1", "annotations": annotations or {}
        },
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": WEB.name},
            "service": {"port": 80},
            "analysis": {"interval": "10s"},
        },
        "status": {
            "phase": phase,
            "lastAppliedSpec": "abc123",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        },
    }  # fmt: skip


def deployment(replicas: int = 1) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": WEB.name, "namespace": NAMESPACE},
        "spec": {"replicas": replicas},
    }


def route(share: int) -> Json:
    weights = {"web-primary": 100 - share, "web-canary": share}
    backends = [{"name": name, "port": 80, "weight": it} for name, it in weights.items()]
    return {
        "apiVersion": kinds.HTTP_ROUTE.api_version,
        "kind": "HTTPRoute",
        "metadata": {"name": WEB.name, "namespace": NAMESPACE},
        "spec": {"rules": [{"backendRefs": backends}]},
    }


def variables(share: object, name: Name = VARS, **annotations: str) -> Json:
    """A write target with the bare number."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name.name,
            "namespace": name.namespace,
            "labels": {"lockstep/canary": WEB.name},
            "annotations": {f"lockstep/{key}": value for key, value in annotations.items()},
        },
        "data": {"CANARY_PERCENTAGE": str(share)},
    }


def settings(share: int, mode: str = "verify") -> Json:
    """A target with the number in a JSON document, rendered by Flux unless told otherwise."""
    text = json.dumps({"FEATURE_FLAGS": {"dark": True}, "CANARY_PERCENTAGE": share}, indent=2)
    return variables(share, SETTINGS, mode=mode) | {"data": {"config.json": text}}


def rollout(share: int = 25, *targets: Json, store: Store | None = None) -> Store:
    """A store with a canary at `share`, with one write target that agrees unless told others."""
    store = store or Store()
    for obj in (canary(), deployment(), route(share), *(targets or (variables(share),))):
        store.put(obj)
    return store


def client_share(store: Store, name: Name = VARS) -> int:
    data = store.get(kinds.CONFIG_MAP, name)["data"]
    assert isinstance(data, dict)
    if "config.json" in data:
        return int(json.loads(data["config.json"])["CANARY_PERCENTAGE"])
    return int(data["CANARY_PERCENTAGE"])
