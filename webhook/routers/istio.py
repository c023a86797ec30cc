"""Istio: the weights of a VirtualService's routes."""

from webhook.canary import Canary
from webhook.fields import Object, find, number, objects, required_text
from webhook.routers.weights import Reading, least, share_of


def share(service: Object, canary: Canary) -> Reading:
    """The canary's share of ordinary traffic; 0 while Flagger only mirrors to it.

    Raises:
        RouterError: no route weighs the canary.
        FieldError: a field has another type than the CRD's.
    """
    rules = [*objects(service, "spec", "http"), *objects(service, "spec", "tcp")]
    shares = [_rule_share(rule, canary) for rule in rules if not _sticky(rule, canary)]
    return Reading(least(shares, "route"))


def _rule_share(rule: Object, canary: Canary) -> int:
    host = f"{canary.apex}-canary"
    weights = [
        (_short(required_text(route, "destination", "host"), host), number(route, "weight") or 0)
        for route in objects(rule, "route")
    ]
    return share_of(host, weights)


def _short(host: str, canary: str) -> str:
    """The canary's short name also where somebody wrote its full one."""
    return canary if host.startswith(f"{canary}.") else host


def _sticky(rule: Object, canary: Canary) -> bool:
    """Whether the route is the one that session affinity adds for browsers with its cookie."""
    patterns = (
        str(find(match, "headers", name))
        for match in objects(rule, "match")
        for name in ("Cookie", "cookie")
    )
    return any(cookie in pattern for pattern in patterns for cookie in canary.cookies)
