"""ingress-nginx: the weight on the canary Ingress."""

from webhook.canary import Canary
from webhook.fields import Object, strings
from webhook.routers.weights import Reading, RouterError, share_of, whole


def share(ingress: Object, canary: Canary) -> Reading:
    """The canary's share from `canary-weight`, out of `canary-weight-total` (100 by default).

    Raises:
        RouterError: the Ingress is not marked as a canary, or its weight is missing or no number.
        FieldError: the annotations are no map of strings.
    """
    annotations = strings(ingress, "metadata", "annotations")
    prefix = canary.ingress_prefix
    if annotations.get(f"{prefix}/canary") != "true":
        raise RouterError(f"annotation {prefix}/canary is not true")
    total = _weight("canary-weight-total", annotations.get(f"{prefix}/canary-weight-total", "100"))
    # ingress-nginx takes a weight above the total as the total
    weight = min(_weight("canary-weight", annotations.get(f"{prefix}/canary-weight")), total)
    return Reading(share_of("canary", [("canary", weight), ("primary", total - weight)]))


def _weight(name: str, value: str | None) -> int:
    return whole(f"annotation {name}", value)
