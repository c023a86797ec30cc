"""Gateway API: the weights of an HTTPRoute's backendRefs."""

from webhook.canary import Canary
from webhook.fields import Object, find, number, objects, required_text, text
from webhook.routers.weights import Reading, least, share_of


def share(route: Object, canary: Canary) -> Reading:
    """The canary's share of ordinary traffic, settled once the gateways took the route in.

    Raises:
        RouterError: no rule weighs the canary.
        FieldError: a field has another type than the CRD's.
    """
    rules = [rule for rule in objects(route, "spec", "rules") if not _sticky(rule, canary)]
    shares = [share_of(f"{canary.apex}-canary", _weights(rule)) for rule in rules]
    return Reading(least(shares, "rule"), _unsettled(route))


def _weights(rule: Object) -> list[tuple[str, int]]:
    backends = objects(rule, "backendRefs")
    return [(required_text(ref, "name"), _weight(ref)) for ref in backends]


def _weight(backend: Object) -> int:
    weight = number(backend, "weight")
    return 1 if weight is None else weight  # the API's default


def _sticky(rule: Object, canary: Canary) -> bool:
    """Whether the rule is the one that session affinity adds for browsers with its cookie."""
    headers = (header for match in objects(rule, "matches") for header in objects(match, "headers"))
    return any(
        (text(header, "name") or "").lower() == "cookie"
        and any(cookie in (text(header, "value") or "") for cookie in canary.cookies)
        for header in headers
    )


def _unsettled(route: Object) -> str:
    """What is missing until all that report have seen this generation and one accepts it."""
    generation = number(route, "metadata", "generation")
    accepted = [
        condition
        for parent in objects(route, "status", "parents")
        for condition in objects(parent, "conditions")
        if find(condition, "type") == "Accepted"
    ]
    if not accepted or generation is None:
        return ""  # no controller reports: nothing to wait for
    if any((number(it, "observedGeneration") or 0) < generation for it in accepted):
        return f"a gateway has not yet taken in generation {generation}"
    if not any(find(condition, "status") == "True" for condition in accepted):
        return "no gateway accepts it: " + (text(accepted[0], "message") or "no message")
    return ""
