"""Reading all that one decision needs, live, in the order that makes old views harmless.

ConfigMaps come first: whoever writes one presents the version read here, so a write made from
an older view than another's conflicts with it. The router comes last: it is the truth.
"""

from collections.abc import Iterable
from typing import Protocol

from webhook import canary as canaries
from webhook import kinds, routers, targets
from webhook.canary import Brakes, Canary, MeshDefaults
from webhook.cluster import Listing
from webhook.deadline import Deadline
from webhook.errors import ClusterError, NotFoundError
from webhook.fields import FieldError, Object, find
from webhook.kinds import Kind, Name, Selection
from webhook.reasons import Reason
from webhook.routers import Reading, RouterError
from webhook.targets import BrokenTarget, Target
from webhook.task import Task
from webhook.view import InvalidCanary, Missing, Problem, View

_LONGEST_LABEL = 63

_PART = 1 / 3
"""Of the time left, for a workload or a router: an announcement must be written without them."""


class Reader(Protocol):
    """The reads of `Cluster`."""

    def get(self, kind: Kind, name: Name, deadline: Deadline) -> Object: ...  # noqa: D102
    def list(self, selection: Selection, deadline: Deadline) -> Listing: ...  # noqa: D102


def gather(api: Reader, mesh: MeshDefaults, task: Task, now: float) -> View:
    """The view of the task's canary; `now` is our clock, seconds since the epoch.

    Raises:
        ClusterError: the ConfigMaps or the Canary cannot be read. A workload or a router that
            cannot is part of the view instead, since a ceiling must be kept without them, unless
            the task's deadline has passed.
    """
    ref, deadline = task.ref, task.deadline
    found = _targets(api, task)
    canary = _canary(api, mesh, ref, deadline)
    running: bool | Problem = False
    router: Reading | Missing | Problem = Reading(0)
    if isinstance(canary, Canary):
        running = _running(api, canary, deadline)
        router = _router(api, canary, deadline)
    elif canary:
        running = router = canary
    return View(
        ref=ref,
        now=now,
        canary=canary,
        targets=found,
        running=running,
        router=router,
        event=task.event,
    )


def _targets(api: Reader, task: Task) -> tuple[Target | BrokenTarget, ...]:
    if len(task.ref.name) > _LONGEST_LABEL:
        return ()  # no label can name this canary
    return tuple(targets.parse(obj) for obj in _labelled(api, task))


def _labelled(api: Reader, task: Task) -> Iterable[Object]:
    if task.known:
        return [obj for name in sorted(task.known) if (obj := _known(api, task, name))]
    selection = Selection(kinds.CONFIG_MAP, task.ref.namespace, f"{targets.LABEL}={task.ref.name}")
    return api.list(selection, task.deadline).items


def _known(api: Reader, task: Task, name: Name) -> Object | None:
    """The ConfigMap, while it is there and its label still names the canary."""
    try:
        obj = api.get(kinds.CONFIG_MAP, name, task.deadline)
    except NotFoundError:
        return None
    owner = find(obj, "metadata", "labels", targets.LABEL)
    return obj if owner == task.ref.name else None


def _canary(
    api: Reader, mesh: MeshDefaults, ref: Name, deadline: Deadline
) -> Canary | InvalidCanary | None:
    try:
        obj = api.get(kinds.CANARY, ref, deadline)
    except NotFoundError:
        return None
    try:
        return canaries.parse(obj, mesh)
    except FieldError as error:
        if find(obj, "metadata", "deletionTimestamp"):
            return None  # whatever is wrong with it, it goes, and so does its share
        return InvalidCanary(Reason.CANARY_INVALID, f"Canary {ref}: {error}", _brakes(obj))


def _brakes(obj: Object) -> Brakes:
    """The brakes alone: the kill switch must not depend on what else a Canary says."""
    try:
        return canaries.brakes(obj)
    except FieldError as error:
        return Brakes(cap_error=str(error))


def _running(api: Reader, canary: Canary, deadline: Deadline) -> bool | Problem:
    try:
        workload = api.get(canary.target_kind, canary.target, deadline.part(_PART))
        return canaries.running(canary.target_kind, workload)
    except NotFoundError:
        return False
    except ClusterError as error:
        deadline.left()  # where the part of it is over, and not the whole, the rest goes on
        return Problem(Reason.WORKLOAD_UNREADABLE, str(error))
    except FieldError as error:
        message = f"{canary.target_kind} {canary.target}: {error}"
        return Problem(Reason.WORKLOAD_UNREADABLE, message)


def _router(api: Reader, canary: Canary, deadline: Deadline) -> Reading | Missing | Problem:
    try:
        source = routers.source(canary)
    except RouterError as error:
        return Problem(Reason.ROUTER_UNREADABLE, f"Canary {canary.ref}: {error}")
    if source is None:
        return Reading(0)
    try:
        reading = source.share(api.get(source.kind, source.name, deadline.part(_PART)), canary)
    except NotFoundError:
        return Missing(str(source))
    except ClusterError as error:
        deadline.left()  # where the part of it is over, and not the whole, the rest goes on
        return Problem(Reason.ROUTER_UNREADABLE, str(error))
    except ValueError as error:
        return Problem(Reason.ROUTER_UNREADABLE, f"{source}: {error}")
    unsettled = f"{source}: {reading.unsettled}" if reading.unsettled else ""
    return Reading(reading.share, unsettled)
