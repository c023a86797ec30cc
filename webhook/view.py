"""What the decision is made from and what it says: frozen values, no behaviour of their own."""

from dataclasses import dataclass

from webhook.canary import Brakes, Canary
from webhook.kinds import Name
from webhook.reasons import Reason
from webhook.routers import Reading
from webhook.targets import BrokenTarget, Ceiling, Mode, Target


@dataclass(frozen=True, slots=True)
class Problem:
    """A fact that could not be read, or a write that was refused: why, naming the object."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class InvalidCanary(Problem):
    """A Canary that does not parse; what an operator asked for on it counts all the same."""

    brakes: Brakes


@dataclass(frozen=True, slots=True)
class Missing:
    """The router object does not exist; `what` names it."""

    what: str

    @property
    def problem(self) -> Problem:
        """What is wrong once a rollout relies on the object."""
        advice = "check spec.provider, and that Flagger has initialized the Canary"
        return Problem(Reason.ROUTER_UNREADABLE, f"{self.what} does not exist: {advice}")


@dataclass(frozen=True, slots=True)
class Event:
    """What Flagger's event webhook said; `at` is Flagger's clock, seconds since the epoch."""

    message: str
    at: float


@dataclass(frozen=True, slots=True)
class View:
    """All that was read of one canary, in one go; `now` is our clock, seconds since the epoch.

    `canary` is None when it does not exist. `router` is a reading of 0 where no weight applies
    to ordinary traffic. `overdue` says that Flux had its time to render a lowering.
    """

    ref: Name
    now: float
    canary: Canary | InvalidCanary | None
    targets: tuple[Target | BrokenTarget, ...]
    running: bool | Problem
    router: Reading | Missing | Problem
    event: Event | None = None
    overdue: bool = False

    @property
    def brakes(self) -> Brakes:
        """What an operator asked for; nothing where there is no Canary to ask on."""
        return self.canary.brakes if self.canary else Brakes()

    @property
    def has_write_target(self) -> bool:
        """Whether Lockstep steers anything here; a broken target counts, its owner meant it."""
        return any(target.mode is not Mode.VERIFY for target in self.targets)


@dataclass(frozen=True, slots=True)
class Write:
    """What one target must become; `release` is empty where its CANARY_RELEASE stays."""

    target: Target
    share: int
    release: str = ""
    ceiling: Ceiling | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, and the facts that a verdict, a log line and the metrics need.

    `routed`, `desired` and `limit` are percentages 0-100. The first two are None where they
    cannot be known; `limit` is known always: no target may be above it. `blocked` is the first
    reason why no share may rise. `wake` is in how many seconds to look again.
    """

    routed: int | None
    desired: int | None
    limit: int
    ceiling: Ceiling | None
    blocked: Problem | None
    writes: tuple[Write, ...]
    off: tuple[Target, ...]
    broken: tuple[BrokenTarget, ...]
    wake: float | None = None

    @property
    def in_step(self) -> bool:
        """Every target equals the desired share."""
        return self.desired is not None and not self.off and not self.broken

    @property
    def above(self) -> tuple[Target, ...]:
        """The targets that still give canary assets to more browsers than they may."""
        return tuple(target for target in self.off if target.share > self.limit)
