"""The custom resources of the test cluster: Flagger's, Flux's, and routers as open schemas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import yaml

from tests.cluster import programs
from tests.cluster.client import ApiError, Client, Json
from tests.cluster.programs import wait_for

ROUTERS = {
    "HTTPRoute": ("gateway.networking.k8s.io", "httproutes", ("v1", "v1beta1")),
    "VirtualService": ("networking.istio.io", "virtualservices", ("v1beta1",)),
    "TraefikService": ("traefik.io", "traefikservices", ("v1alpha1",)),
    "HTTPProxy": ("projectcontour.io", "httpproxies", ("v1",)),
    "ApisixRoute": ("apisix.apache.org", "apisixroutes", ("v2",)),
    "TrafficRoute": ("kuma.io", "trafficroutes", ("v1alpha1",)),
    "RouteTable": ("gateway.solo.io", "routetables", ("v1",)),
    "TrafficSplit": ("split.smi-spec.io", "trafficsplits", ("v1alpha1", "v1alpha2", "v1alpha3")),
    "VirtualRouter": ("appmesh.k8s.aws", "virtualrouters", ("v1beta2",)),
}
"""The kinds that hold weights: group, plural, versions. Ingress is Kubernetes' own."""

_BESIDE = {
    "DestinationRule": ("networking.istio.io", "destinationrules", ("v1beta1",)),
    "Upstream": ("gloo.solo.io", "upstreams", ("v1",)),
    "VirtualNode": ("appmesh.k8s.aws", "virtualnodes", ("v1beta2",)),
}
"""What Flagger writes beside them. App Mesh's VirtualService clashes in kind, not in group."""

_APPMESH_SERVICE = ("appmesh.k8s.aws", "virtualservices", ("v1beta2", "v1beta1"))
_CLUSTER_SCOPED = ("TrafficRoute",)


def install(client: Client, *, flux: bool = False) -> None:
    """Define the kinds, and wait until they are served."""
    made = [_open(kind, *where) for kind, where in {**ROUTERS, **_BESIDE}.items()]
    made.append(_open("VirtualService", *_APPMESH_SERVICE))
    made += published("flagger", "github.com/fluxcd/flagger", "artifacts/flagger")
    if flux:
        for module in ("kustomize-controller", "source-controller"):
            made += published(module, f"github.com/fluxcd/{module}", "config/crd/bases")
    define(client, made)


def define(client: Client, definitions: Sequence[Json]) -> None:
    """Define kinds, and wait until they are served."""
    for definition in definitions:
        client.apply(definition)
    for definition in definitions:
        name = definition["metadata"]["name"]
        wait_for(partial(_served, client, definition), f"{name} is served")


def published(program: str, module: str, path: str) -> list[Json]:
    """The definitions in a folder of a module that a `go.mod` under `tools` requires."""
    loaded = (
        document
        for file in sorted((programs.module(program, module) / path).glob("*.yaml"))
        for document in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
    )
    return [it for it in loaded if it and it["kind"] == "CustomResourceDefinition"]


def _served(client: Client, definition: Json) -> bool:
    """Whether objects can be listed: a definition is established a moment before that."""
    spec = definition["spec"]
    try:
        for version in spec["versions"]:
            if version["served"]:
                client.list(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
    except ApiError:
        return False
    return True


def served(client: Client) -> None:
    """Wait until an API server that came later serves every kind that is defined."""
    for definition in client.list("apiextensions.k8s.io/v1", "CustomResourceDefinition"):
        name = definition["metadata"]["name"]
        wait_for(partial(_served, client, definition), f"{name} is served")


def _open(kind: str, group: str, plural: str, versions: tuple[str, ...]) -> Json:
    """A definition that takes any object: no controller of that router runs here."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # Without it the API server takes no kind of a *.k8s.io group.
            "annotations": {"api-approved.kubernetes.io": "unapproved, an open schema for tests"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Cluster" if kind in _CLUSTER_SCOPED else "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "schema": {"openAPIV3Schema": anything},
                }
                for version in versions
            ],
        },
    }
