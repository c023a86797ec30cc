"""Gloo: the weights of a RouteTable's destinations."""

from webhook.canary import Canary
from webhook.fields import Object, number, objects, required_text
from webhook.routers.weights import Reading, least, share_where_0_is_omitted


def share(table: Object, canary: Canary) -> Reading:
    """The canary's share; the weight 0 is left out of the object.

    Raises:
        RouterError: no route weighs the canary's upstream.
        FieldError: a field has another type than the CRD's.
    """
    upstream = f"{canary.ref.namespace}-{canary.apex}-canaryupstream"
    shares = [
        share_where_0_is_omitted(upstream, _weights(route))
        for route in objects(table, "spec", "routes")
    ]
    return Reading(least(shares, "route"))


def _weights(route: Object) -> list[tuple[str, int]]:
    destinations = objects(route, "routeAction", "multi", "destinations")
    return [(_upstream(it), number(it, "weight") or 0) for it in destinations]


def _upstream(destination: Object) -> str:
    """The upstream's name without the port that Flagger puts at its end."""
    name, _, _ = required_text(destination, "destination", "upstream", "name").rpartition("-")
    return name
