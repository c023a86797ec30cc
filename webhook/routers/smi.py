"""Service Mesh Interface (Linkerd, Open Service Mesh): the weights of a TrafficSplit."""

from webhook.canary import Canary
from webhook.fields import Object, find, objects, required_number, required_text
from webhook.routers.weights import Reading, share_of, whole


def share(split: Object, canary: Canary) -> Reading:
    """The canary's share.

    Raises:
        RouterError: the canary is no backend, or a weight is no whole number.
        FieldError: a field has another type than the CRD's.
    """
    backends = objects(split, "spec", "backends")
    weights = [(required_text(it, "service"), _weight(it)) for it in backends]
    return Reading(share_of(f"{canary.apex}-canary", weights))


def _weight(backend: Object) -> int:
    """A number; in v1alpha1 a quantity, which is written as text."""
    weight = find(backend, "weight")
    return (
        whole("weight", weight) if isinstance(weight, str) else required_number(backend, "weight")
    )
