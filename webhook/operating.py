"""What the operator's commands do on a cluster: read how canaries stand, and set a brake."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from webhook import canary as canaries
from webhook import kinds, outlook, status
from webhook.brakes import Change, rival
from webhook.canary import MeshDefaults
from webhook.checks import Outcome
from webhook.cluster import Cluster
from webhook.deadline import Deadline
from webhook.errors import (
    ClusterError,
    ConflictError,
    DeadlineError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from webhook.fields import FieldError, Object, required_text
from webhook.gather import gather
from webhook.kinds import Name, Selection
from webhook.policy import decide
from webhook.reasons import Reason
from webhook.situation import Shares, situation
from webhook.status import Standing
from webhook.task import Task
from webhook.view import Problem, View

_AT_ONCE = 16
"""Canaries read at the same time; below the connections that `Cluster` keeps."""

_GLANCE = 3.0
"""Seconds for what a brake's outlook needs: the brake itself must not wait for more."""

_PAUSE = 0.05
"""Seconds before a change that conflicted is tried again."""

_HINTS = 10


@dataclass(frozen=True, slots=True)
class Operator:
    """A cluster, what Flagger's flags say, and until when a command may take."""

    cluster: Cluster
    mesh: MeshDefaults
    deadline: Deadline

    def standings(self, namespace: str, name: str = "") -> list[Standing]:
        """How the canaries stand, of one namespace or of all (empty), of one name or of all.

        Raises:
            ClusterError: they cannot be listed; NotFoundError: none has that name.
        """
        found = self._canaries(namespace)
        refs = [ref for ref in found if name in ("", ref.name)]
        if name and not refs:
            raise NotFoundError(_unknown(name, namespace, found))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [it for it in pool.map(self._standing, refs) if it]

    def brake(self, ref: Name, change: Change) -> list[str]:
        """Make the change; says what it did and what follows from it, a paragraph each.

        Raises:
            ClusterError: nothing was changed, or the message says that this is not known.
        """
        glance = self._glance(ref)
        try:
            before, after = self._changed(ref, change)
        except NotFoundError as error:
            raise NotFoundError(self._hint(ref)) from error
        done = f"Canary {ref}: {change.told(before)}."
        undone = rival(change, before)
        warning = [f"Warning: {undone}"] if undone else []
        return [done, *warning, *self._outlook(change, after, glance)]

    def _canaries(self, namespace: str) -> list[Name]:
        try:
            listing = self.cluster.list(Selection(kinds.CANARY, namespace), self.deadline)
        except NotFoundError as error:
            text = "this cluster has no Canaries at all; is Flagger installed?"
            raise NotFoundError(text) from error
        paths = (("metadata", "namespace"), ("metadata", "name"))
        return sorted(
            Name(*(required_text(item, *path) for path in paths)) for item in listing.items
        )

    def _standing(self, ref: Name) -> Standing | None:
        """How one canary stands; None if it is gone since it was listed."""
        try:
            view = gather(self.cluster, self.mesh, self._task(ref), time.time())
        except ClusterError as error:
            return status.unread(ref, _problem(error))
        return status.standing(Outcome(view, decide(view))) if view.canary else None

    def _task(self, ref: Name) -> Task:
        return Task(ref=ref, trigger="command", deadline=self.deadline)

    def _glance(self, ref: Name) -> View | Problem:
        """What there is before the change; a brake does not fail because this cannot be read."""
        deadline = Deadline(min(self.deadline.at, Deadline.after(_GLANCE).at))
        task = replace(self._task(ref), deadline=deadline)
        try:
            return gather(self.cluster, self.mesh, task, time.time())
        except ClusterError as error:
            return _problem(error)

    def _changed(self, ref: Name, change: Change) -> tuple[Object, Object]:
        """The Canary before and after."""
        while True:
            before = self.cluster.get(kinds.CANARY, ref, self.deadline)
            if change.done(before):
                return before, before
            try:
                patch = change.patch(before)
                return before, self.cluster.patch(kinds.CANARY, ref, patch, self.deadline)
            except ConflictError:
                time.sleep(_PAUSE)  # Flagger writes the status of the same object
            except DeadlineError:
                raise
            except UnavailableError as error:
                text = f"{error}; whether it was set is not known: look, or do it again"
                raise UncertainError(text) from error

    def _outlook(self, change: Change, obj: Object, glance: View | Problem) -> list[str]:
        try:
            canary = canaries.parse(obj, self.mesh)
            shares: Shares | Problem
            if isinstance(glance, View):
                shares = Shares(glance, decide(replace(glance, canary=canary)))
            else:
                shares = glance
            return outlook.follows(change, situation(canary, obj, shares))
        except FieldError as error:
            return [f"Warning: what follows is not known, and every gate refuses: {error}."]

    def _hint(self, ref: Name) -> str:
        try:
            found: Sequence[Name] = self._canaries(ref.namespace)
        except (ForbiddenError, UnavailableError):
            return f"there is no Canary {ref}"
        return _unknown(ref.name, ref.namespace, found)


class UncertainError(UnavailableError):
    """The connection was lost in mid-change."""


def _unknown(name: str, namespace: str, found: Sequence[Name]) -> str:
    where = f"in {namespace}" if namespace else "in any namespace"
    names = [ref.name if namespace else str(ref) for ref in found]
    more = f" and {len(names) - _HINTS} more" if len(names) > _HINTS else ""
    there = f"there: {', '.join(names[:_HINTS])}{more}" if names else "nor any other"
    other = "; -n names another namespace" if namespace else ""
    return f"there is no Canary {name} {where} ({there}){other}"


def _problem(error: ClusterError) -> Problem:
    if isinstance(error, DeadlineError):
        return Problem(Reason.DEADLINE_EXCEEDED, "the API server was too slow for the deadline")
    if isinstance(error, ForbiddenError):
        return Problem(Reason.CLUSTER_FORBIDDEN, str(error))
    return Problem(Reason.CLUSTER_UNAVAILABLE, str(error))
