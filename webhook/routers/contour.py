"""Contour: the weights of an HTTPProxy's services."""

from webhook.canary import Canary
from webhook.fields import Object, number, objects, required_text
from webhook.routers.weights import Reading, least, share_where_0_is_omitted


def share(proxy: Object, canary: Canary) -> Reading:
    """The canary's share; the weight 0 is left out of the object.

    Raises:
        RouterError: no route weighs the canary.
        FieldError: a field has another type than the CRD's.
    """
    shares = [
        share_where_0_is_omitted(f"{canary.apex}-canary", _weights(route))
        for route in objects(proxy, "spec", "routes")
    ]
    return Reading(least(shares, "route"))


def _weights(route: Object) -> list[tuple[str, int]]:
    services = objects(route, "services")
    return [(required_text(it, "name"), number(it, "weight") or 0) for it in services]
