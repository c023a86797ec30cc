"""Kuma: the weights of a TrafficRoute's split."""

from webhook.canary import Canary
from webhook.fields import Object, objects, required_number, required_text
from webhook.routers.weights import Reading, share_of


def share(route: Object, canary: Canary) -> Reading:
    """The canary's share.

    The namespace is part of the destination that counts: a TrafficRoute is cluster-scoped, and
    canaries of two namespaces whose apex has one name would share it.

    Raises:
        RouterError: the split does not weigh the canary.
        FieldError: a field has another type than the CRD's.
    """
    split = objects(route, "spec", "conf", "split")
    weights = [(_service(it), required_number(it, "weight")) for it in split]
    return Reading(share_of(f"{canary.apex}-canary_{canary.ref.namespace}_svc", weights))


def _service(split: Object) -> str:
    """The destination without the port that Kuma puts at its end."""
    name, _, _ = required_text(split, "destination", "kuma.io/service").rpartition("_")
    return name
