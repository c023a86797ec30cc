"""What a reconcile is asked to do."""

from dataclasses import dataclass

from webhook.deadline import Deadline
from webhook.kinds import Name
from webhook.view import Event


@dataclass(frozen=True, slots=True)
class Task:
    """One canary to bring in step, and what for.

    `trigger` is a hook's name, `watch`, `resync`, `ceiling` or `retry`. `waits_for_raise` is for
    the gates, whose answer a raise that Flux still renders would change. Without
    `waits_for_lowering` a run ends where it would wait for Flux, and a later one is told by
    `lowering_since` (monotonic seconds) since when Flux is at it. `known` names the targets that a
    watch has told of, each to be read by itself; none: the API server is asked for them all.
    """

    ref: Name
    trigger: str
    deadline: Deadline
    event: Event | None = None
    waits_for_raise: bool = False
    waits_for_lowering: bool = True
    lowering_since: float | None = None
    known: frozenset[Name] = frozenset()
