"""Where each provider keeps the weights, and what share they mean (docs: providers).

Adding a provider is a function from the object to a `Reading`, and a line in `_PROVIDERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from webhook import kinds
from webhook.canary import Canary
from webhook.fields import Object
from webhook.kinds import Kind, Name
from webhook.routers import gatewayapi, istio, nginx
from webhook.routers.weights import Reading, RouterError

__all__ = ["Reading", "RouterError", "Source", "source"]


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


_PROVIDERS = {
    "istio": (kinds.VIRTUAL_SERVICE, _apex, istio.share),
    "gatewayapi:v1": (kinds.HTTP_ROUTE, _apex, gatewayapi.share),
    "gatewayapi:v1beta1": (kinds.HTTP_ROUTE_BETA, _apex, gatewayapi.share),
    "nginx": (kinds.INGRESS, _canary_ingress, nginx.share),
}
_BY_PREFIX = ("gatewayapi:v1beta1", "gatewayapi:v1")
_KNOWN_TO_FLAGGER = (
    "appmesh", "apisix", "contour", "gloo", "knative", "kuma", "linkerd", "osm", "skipper",
    "smi:v1alpha", "traefik",
)  # fmt: skip


def source(canary: Canary) -> Source | None:
    """Where the canary's share is read; None where it is 0 by definition (`unweighted`).

    Raises:
        RouterError: the provider is one of Flagger's that Lockstep cannot read.
    """
    if canary.unweighted:
        return None
    kind, name_of, share = _PROVIDERS[_provider(canary.provider)]
    return Source(kind, Name(canary.ref.namespace, name_of(canary)), share)


def _provider(name: str) -> str:
    """The provider as Flagger's factory finds it: exact, by prefix, and istio for the rest."""
    if name in _PROVIDERS:
        return name
    if name.startswith(_KNOWN_TO_FLAGGER):
        raise RouterError(f"provider {name} is not supported; see docs/providers.md")
    return next((prefix for prefix in _BY_PREFIX if name.startswith(prefix)), "istio")
