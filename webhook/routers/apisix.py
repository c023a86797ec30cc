"""Apache APISIX: the weights of an ApisixRoute's backends."""

from webhook.canary import Canary
from webhook.fields import Object, objects, required_number, required_text
from webhook.routers.weights import Reading, least, share_of


def share(route: Object, canary: Canary) -> Reading:
    """The canary's share, from the route that Flagger puts before the application's own.

    Raises:
        RouterError: no HTTP route weighs the canary.
        FieldError: a field has another type than the CRD's.
    """
    shares = [
        share_of(f"{canary.apex}-canary", _weights(http)) for http in objects(route, "spec", "http")
    ]
    return Reading(least(shares, "HTTP route"))


def _weights(http: Object) -> list[tuple[str, int]]:
    backends = objects(http, "backends")
    return [(required_text(it, "serviceName"), required_number(it, "weight")) for it in backends]
