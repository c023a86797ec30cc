"""Traefik: the weights of a TraefikService."""

from webhook.canary import Canary
from webhook.fields import Object, number, objects, required_text
from webhook.routers.weights import Reading, share_of


def share(service: Object, canary: Canary) -> Reading:
    """The canary's share; Flagger lists the primary alone where that is 0.

    Raises:
        RouterError: neither the canary nor the primary is listed.
        FieldError: a field has another type than the CRD's.
    """
    listed = objects(service, "spec", "weighted", "services")
    weights = [(required_text(it, "name"), _weight(it)) for it in listed]
    names = {name for name, _ in weights}
    if f"{canary.apex}-primary" in names and f"{canary.apex}-canary" not in names:
        return Reading(0)
    return Reading(share_of(f"{canary.apex}-canary", weights))


def _weight(service: Object) -> int:
    """Flagger leaves out the primary's 0 at full weight, which Traefik then takes for 1."""
    weight = number(service, "weight")
    return 1 if weight is None else weight
