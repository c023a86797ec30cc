"""What a reconcile is asked to do."""

from dataclasses import dataclass

from webhook.deadline import Deadline
from webhook.kinds import Name
from webhook.view import Event


@dataclass(frozen=True, slots=True)
class Task:
    """One canary to bring in step, and what for.

    `trigger` is a hook's name, `watch`, `resync` or `ceiling`. `waits_for_raise` is for the
    gates, whose answer a raise that Flux still renders would change.
    """

    ref: Name
    trigger: str
    deadline: Deadline
    event: Event | None = None
    waits_for_raise: bool = False
