"""AWS App Mesh: the weights of a VirtualRouter's targets, before v1beta2 a VirtualService's."""

from webhook.canary import Canary
from webhook.fields import Object, objects, required_number, required_text
from webhook.routers.weights import Reading, least, share_of


def router_share(router: Object, canary: Canary) -> Reading:
    """The canary's share, from a VirtualRouter of v1beta2.

    Raises:
        RouterError: no HTTP route weighs the canary.
        FieldError: a field has another type than the CRD's.
    """
    return _share(router, canary, "httpRoute", ("virtualNodeRef", "name"))


def service_share(service: Object, canary: Canary) -> Reading:
    """The canary's share, from a VirtualService of v1beta1.

    Raises:
        RouterError: no HTTP route weighs the canary.
        FieldError: a field has another type than the CRD's.
    """
    return _share(service, canary, "http", ("virtualNodeName",))


def _share(obj: Object, canary: Canary, http: str, node: tuple[str, ...]) -> Reading:
    shares = [
        share_of(f"{canary.apex}-canary", _weights(route, http, node))
        for route in objects(obj, "spec", "routes")
    ]
    return Reading(least(shares, "route"))


def _weights(route: Object, http: str, node: tuple[str, ...]) -> list[tuple[str, int]]:
    targets = objects(route, http, "action", "weightedTargets")
    return [(required_text(it, *node), required_number(it, "weight")) for it in targets]
