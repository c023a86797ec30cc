"""The docs' example as objects: what `flagger/` and `manifests/` make in the namespace `shop`."""

import re
from typing import Any

import yaml

from tests.markdown import ROOT
from webhook import kinds
from webhook.demo.store import Store
from webhook.kinds import Name

Json = dict[str, Any]
NAMESPACE = "shop"
FRONTEND = Name(NAMESPACE, "frontend")
VARS = Name(NAMESPACE, "canary-vars")
SETTINGS = Name(NAMESPACE, "canary-settings")
LABEL = "lockstep/canary"


def stored(file: str) -> Json:
    """A manifest as the API server has it: in the namespace, and Flux's defaults put in."""
    text = re.sub(r"\$\{[A-Z_]+:=([^}]*)\}", r"\1", (ROOT / file).read_text())
    obj: Json = yaml.safe_load(text)
    obj["metadata"] |= {"namespace": NAMESPACE}
    return obj


def canary(phase: str = "Progressing") -> Json:
    status = {"phase": phase, "lastAppliedSpec": "5d4b", "lastTransitionTime": _LONG_AGO}
    return stored("flagger/canary.yaml") | {"status": status}


_LONG_AGO = "2026-01-01T00:00:00Z"


def deployment() -> Json:
    metadata = {"name": FRONTEND.name, "namespace": NAMESPACE}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": 1}}  # fmt: skip


def route(share: int) -> Json:
    weights = {"frontend-primary": 100 - share, "frontend-canary": share}
    backends = [{"name": name, "port": 80, "weight": it} for name, it in weights.items()]
    return {
        "apiVersion": kinds.HTTP_ROUTE.api_version,
        "kind": "HTTPRoute",
        "metadata": {"name": FRONTEND.name, "namespace": NAMESPACE},
        "spec": {"rules": [{"backendRefs": backends}]},
    }


def config_maps() -> list[Json]:
    """Both ConfigMaps as written by Lockstep: there is no Flux here to render one of them."""
    settings = rendered(0)
    del settings["metadata"]["annotations"]["lockstep/mode"]
    return [stored("manifests/app/canary-vars.yaml"), settings]


def rendered(share: int) -> Json:
    """What Flux makes of a share."""
    settings = stored("manifests/app/settings/canary-settings.yaml")
    text = settings["data"]["config.json"]
    settings["data"]["config.json"] = text.replace('PERCENTAGE": 0', f'PERCENTAGE": {share}')
    return settings


def rollout(share: int = 25, *, labelled: bool = True) -> Store:
    """A rollout at a share; the number is 0 as in Git."""
    store = Store()
    for obj in (canary(), deployment(), route(share), *config_maps()):
        if not labelled and obj["kind"] == "ConfigMap":
            del obj["metadata"]["labels"][LABEL]
        store.put(obj)
    return store
