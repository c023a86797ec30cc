"""Knative: the percentages of a Knative Service's traffic, which is workload and router in one."""

from webhook.canary import Canary
from webhook.fields import Object, find, number, objects, strings, text
from webhook.routers.weights import Reading, RouterError, share_of

_PRIMARY = "flagger.app/primary-revision"


def share(service: Object, canary: Canary) -> Reading:  # noqa: ARG001 - every provider's signature
    """The latest revision's share, the lower of what was asked for and what is routed.

    The two differ while Knative takes `spec.traffic` in: it shows what it routes in
    `status.traffic`. So a raise counts once it is routed, and a lowering at once.

    Raises:
        RouterError: Flagger has not yet named a primary revision, without which the latest is
            no canary; or nothing is said of the latest revision.
        FieldError: a field has another type than the CRD's.
    """
    if not strings(service, "metadata", "annotations").get(_PRIMARY):
        raise RouterError(f"annotation {_PRIMARY} is missing: Flagger has not yet taken it over")
    return Reading(min(_latest(service, "spec"), _latest(service, "status")))


def _latest(service: Object, side: str) -> int:
    name = f"the latest revision in {side}.traffic"
    weights = [
        (name if find(target, "latestRevision") is True else _revision(target), percent)
        for target in objects(service, side, "traffic")
        if (percent := number(target, "percent")) is not None  # else it only has a tag's own URL
    ]
    return share_of(name, weights)


def _revision(target: Object) -> str:
    return text(target, "revisionName") or "unnamed"
