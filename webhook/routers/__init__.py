"""Where each provider keeps the weights, and what share they mean (docs: providers).

Adding a provider is a function from the object to a `Reading`, and a line in `_PROVIDERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from webhook import kinds
from webhook.canary import Canary
from webhook.fields import Object
from webhook.kinds import Kind, Name
from webhook.routers import (
    apisix,
    appmesh,
    contour,
    gatewayapi,
    gloo,
    istio,
    knative,
    kuma,
    nginx,
    skipper,
    smi,
    traefik,
)
from webhook.routers.weights import Reading, RouterError

__all__ = ["Reading", "RouterError", "Source", "known", "source"]


@dataclass(frozen=True, slots=True)
class Source:
    """The object whose weights Flagger writes for a canary, and how to read it."""

    kind: Kind
    name: Name
    share: Callable[[Object, Canary], Reading]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def _apex(canary: Canary) -> str:
    return canary.apex


def _canary_ingress(canary: Canary) -> str:
    if not canary.ingress:
        raise RouterError("spec.ingressRef.name is missing: which Ingress Flagger splits")
    return f"{canary.ingress}-canary"


def _canary_route(canary: Canary) -> str:
    if not canary.route:
        raise RouterError("spec.routeRef.name is missing: which ApisixRoute Flagger splits")
    return f"{canary.route}-{canary.apex}-canary"


def _host(canary: Canary) -> str:
    return f"{canary.apex}.{canary.ref.namespace}"


def _target(canary: Canary) -> str:
    return canary.target.name


_PROVIDERS = {
    "appmesh:v1beta2*": (kinds.APPMESH_ROUTER, _apex, appmesh.router_share),
    "appmesh": (kinds.APPMESH_SERVICE, _host, appmesh.service_share),
    "linkerd": (kinds.TRAFFIC_SPLIT_1, _apex, smi.share),
    "smi:v1alpha1*": (kinds.TRAFFIC_SPLIT_1, _apex, smi.share),
    "smi:v1alpha2*": (kinds.TRAFFIC_SPLIT_2, _apex, smi.share),
    "smi:v1alpha3*": (kinds.TRAFFIC_SPLIT_3, _apex, smi.share),
    "osm": (kinds.TRAFFIC_SPLIT_2, _apex, smi.share),
    "contour": (kinds.HTTP_PROXY, _apex, contour.share),
    "knative": (kinds.KNATIVE_SERVICE, _target, knative.share),
    "gloo*": (kinds.ROUTE_TABLE, _apex, gloo.share),
    "nginx": (kinds.INGRESS, _canary_ingress, nginx.share),
    "skipper": (kinds.INGRESS, _canary_ingress, skipper.share),
    "traefik": (kinds.TRAEFIK_SERVICE, _apex, traefik.share),
    "apisix": (kinds.APISIX_ROUTE, _canary_route, apisix.share),
    "kuma": (kinds.TRAFFIC_ROUTE, _apex, kuma.share),
    "gatewayapi:v1beta1*": (kinds.HTTP_ROUTE_BETA, _apex, gatewayapi.share),
    "gatewayapi:v1*": (kinds.HTTP_ROUTE, _apex, gatewayapi.share),
    "istio": (kinds.VIRTUAL_SERVICE, _apex, istio.share),
}
"""Where each provider's share is; `*` stands for any ending, and the first that fits counts."""


def source(canary: Canary) -> Source | None:
    """Where the canary's share is read; None where it is 0 by definition (`unweighted`).

    Raises:
        RouterError: the Canary does not say which object Flagger splits.
    """
    if canary.unweighted:
        return None
    kind, name_of, share = _PROVIDERS[_provider(canary.provider)]
    namespace = canary.ref.namespace if kind.namespaced else ""
    return Source(kind, Name(namespace, name_of(canary)), share)


def known(provider: str) -> bool:
    """Whether Flagger has such a provider; it takes Istio for any other."""
    return provider == "kubernetes" or _pattern(provider) is not None


def _provider(name: str) -> str:
    """The provider as Flagger's factory finds it, which takes Istio for any that it lacks."""
    return _pattern(name) or "istio"


def _pattern(name: str) -> str | None:
    return next((pattern for pattern in _PROVIDERS if fnmatchcase(name, pattern)), None)
