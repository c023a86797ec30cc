"""What one run measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of `count` durations, in seconds."""

    p50: float
    p99: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """The nearest-rank percentiles."""
        ordered = sorted(seconds)
        p50, p99 = (ordered[-(-len(ordered) * part // 100) - 1] for part in (50, 99))
        return cls(p50, p99, len(ordered))


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes (10**6 bytes): `rss` of the worker, `pss` of all its processes together.

    Resident memory counts what gunicorn's two processes share in each of them; the proportional
    one counts it once.
    """

    rss: float
    pss: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A hook by so many callers at once, and its API calls made bare by the same, in turns.

    `busy`: while somebody else writes to the API server.
    """

    callers: int
    busy: bool
    hook: Spread
    bare: Spread

    @property
    def ratio(self) -> float:
        """How many times as long the hook takes, at p50."""
        return self.hook.p50 / self.bare.p50


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured with so many canaries in the store."""

    canaries: int
    follow: Spread
    memory: Memory


@dataclass(frozen=True, slots=True)
class Results:
    """All of a run; `idle` is the share of one core, over `idle_seconds`.

    `load` is the machine's load average before: what others had it do.
    """

    api_server: str
    load: float
    sizes: tuple[Size, ...]
    gates: tuple[Comparison, ...]
    idle: float
    idle_seconds: float
