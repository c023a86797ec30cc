"""Skipper: the weights on the canary Ingress."""

import json

from webhook.canary import Canary
from webhook.fields import Object, required_number, strings
from webhook.routers.weights import Reading, RouterError, share_of

_WEIGHTS = "zalando.org/backend-weights"
_PREDICATE = "zalando.org/skipper-predicate"
_NEVER = "False()"
"""What Flagger adds to the predicate to switch the whole canary Ingress off."""


def share(ingress: Object, canary: Canary) -> Reading:
    """The canary's share from `backend-weights`; 0 while the Ingress is switched off.

    Raises:
        RouterError: the annotation is missing, no JSON object, or does not weigh the canary.
        FieldError: the annotations are no map of strings, or a weight is no whole number.
    """
    annotations = strings(ingress, "metadata", "annotations")
    weights = _weights(annotations.get(_WEIGHTS))
    weighed = share_of(f"{canary.apex}-canary", weights)
    predicates = annotations.get(_PREDICATE, "").split("&&")
    off = any(predicate.strip() == _NEVER for predicate in predicates)
    return Reading(0 if off else weighed)


def _weights(text: str | None) -> list[tuple[str, int]]:
    if text is None:
        raise RouterError(f"annotation {_WEIGHTS} is missing")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RouterError(f"annotation {_WEIGHTS} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise RouterError(f"annotation {_WEIGHTS} holds no JSON object")
    return [(name, required_number(document, name)) for name in document]
