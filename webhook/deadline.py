"""The time left for a task and every request and wait in it."""

import time
from dataclasses import dataclass

from webhook.errors import DeadlineError


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, more than 0.

        Raises:
            DeadlineError: none are.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise DeadlineError("the deadline has passed")
        return left

    def part(self, fraction: float) -> "Deadline":
        """A deadline for one step, which leaves the rest of the time to the others.

        Raises:
            DeadlineError: no time is left at all.
        """
        return Deadline.after(self.left() * fraction)

    def allows(self, seconds: float) -> bool:
        """Whether a wait of that many seconds ends before the deadline."""
        return time.monotonic() + seconds < self.at
