"""What a fault costs: measured on what the store holds, and on what browsers are answered."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from itertools import pairwise
from math import inf
from typing import Self

import requests

from tests.cluster.law import Finding, Moment, desired, moments
from tests.cluster.observer import Revision

_LOOK = 0.05
"""Seconds between two looks at the config endpoint."""


@dataclass
class Span:
    """When a fault began and ended, and until when it may show; time.monotonic()."""

    began: float = 0.0
    ended: float = inf
    until: float = inf

    def begins(self) -> None:
        """Note the begin."""
        self.began = time.monotonic()

    def ends(self) -> None:
        """Note the end."""
        self.ended = time.monotonic()


@dataclass(frozen=True)
class Cost:
    """What one fault cost the canaries that it met.

    `above`: browsers had more than was routed; `idle`: a canary that did not run; `again`: seconds
    from the fault's end until they were in step, inf if never.
    """

    above: Finding
    idle: Finding
    again: float
    in_step: bool
    ended: str


@dataclass(frozen=True)
class Told:
    """What browsers were answered: after how many seconds nothing any more, after how many from the
    fault's end on something again (inf: never), and for how many on end more than was routed."""

    silent: float
    again: float
    above: float


def cost(revisions: Sequence[Revision], span: Span) -> Cost:
    """What a fault cost one canary."""
    seen = moments(revisions)
    states = list(_states(seen, span))
    end = seen[-1]
    return Cost(
        above=_finding(states, lambda it: it.client > it.routed),
        idle=_finding(states, lambda it: it.client > 0 and not it.runs),
        again=_again(states, span),
        in_step=_in_step(end),
        ended=end.phase,
    )


def most(costs: Sequence[Cost]) -> Cost:
    """The worst of several canaries in each respect."""
    return Cost(
        above=max((it.above for it in costs), key=_weight),
        idle=max((it.idle for it in costs), key=_weight),
        again=max(it.again for it in costs),
        in_step=all(it.in_step for it in costs),
        ended=", ".join(sorted({it.ended for it in costs})),
    )


def table(costs: dict[str, Cost]) -> str:
    """Markdown, a row a fault."""
    head = (
        "what happened", "browsers had more than routed", "browsers had a canary that did not run",
        "in step again after the fault's end", "in step at the end", "the rollout ended",
    )  # fmt: skip
    lines = [head, tuple("---" for _ in head), *(_row(what, it) for what, it in costs.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def told(looks: dict[str, Told]) -> str:
    """Markdown, a row a fault."""
    head = (
        "what happened", "answers 503 after", "answers again after the fault's end",
        "answered more than routed for",
    )  # fmt: skip
    rows = [(what, *(_seconds(it) for it in astuple(seen))) for what, seen in looks.items()]
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(seconds: float) -> str:
    return "never" if seconds == inf else f"{seconds:.1f} s"


def _row(what: str, it: Cost) -> tuple[str, ...]:
    end = "yes" if it.in_step else "no"
    return what, _longest(it.above), _longest(it.idle), _seconds(it.again), end, it.ended


def _longest(finding: Finding) -> str:
    return f"{finding.longest:.0f} ms" if finding.revisions else "-"


def _weight(finding: Finding) -> tuple[float, int]:
    return finding.longest, finding.revisions


@dataclass(frozen=True)
class _State:
    """What held between two moments, cut to the time of a fault."""

    moment: Moment
    start: float
    end: float


def _states(seen: Sequence[Moment], span: Span) -> Iterator[_State]:
    closed = [*seen, seen[-1]] if seen else []
    for index, (moment, after) in enumerate(pairwise(closed), start=1):
        end = after.at if index < len(seen) else min(span.until, time.monotonic())
        start, end = max(moment.at, span.began), min(end, span.until)
        if start <= end:
            yield _State(moment, start, end)


def _finding(states: Sequence[_State], wrong: Callable[[Moment], bool]) -> Finding:
    revisions, longest, since = 0, 0.0, None
    for state in states:
        if wrong(state.moment):
            revisions += 1
            since = state.start if since is None else since
            longest = max(longest, (state.end - since) * 1000)
        else:
            since = None
    return Finding(revisions, longest)


def _again(states: Sequence[_State], span: Span) -> float:
    later = (it for it in states if it.end >= span.ended and _in_step(it.moment))
    return next((max(it.start - span.ended, 0.0) for it in later), inf)


def _in_step(moment: Moment) -> bool:
    return moment.agree and moment.client == desired(moment)


@dataclass(frozen=True)
class Look:
    """What a browser was answered: a share 0-100, or None where it would fall back to 0."""

    at: float
    share: int | None


@dataclass
class Browser:
    """Asks the config endpoint for a canary's share again and again."""

    url: str
    looks: list[Look] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def _run(self) -> None:
        with requests.Session() as session:
            while not self._stopped.wait(_LOOK):
                self.looks.append(self._look(session))

    def _look(self, session: requests.Session) -> Look:
        answer = session.get(self.url, timeout=2)
        share = int(answer.json()["CANARY_PERCENTAGE"]) if answer.ok else None
        return Look(time.monotonic(), share)

    @property
    def answered(self) -> bool:
        """Whether it was answered at last."""
        return bool(self.looks) and self.looks[-1].share is not None

    def told(self, revisions: Sequence[Revision], span: Span) -> Told:
        """What a fault has made of the answers about a canary."""
        looks = [it for it in self.looks if span.began <= it.at <= span.until]
        during = (it for it in looks if it.at <= span.ended)
        later = (it for it in looks if it.at >= span.ended)
        return Told(
            silent=next((it.at - span.began for it in during if it.share is None), inf),
            again=next((it.at - span.ended for it in later if it.share is not None), inf),
            above=_longest_above(looks, moments(revisions)),
        )


def _longest_above(looks: Sequence[Look], seen: Sequence[Moment]) -> float:
    times = [it.at for it in seen]
    longest, since = 0.0, None
    for look in looks:
        routed = seen[bisect_right(times, look.at) - 1].routed
        if look.share is not None and look.share > routed:
            since = look.at if since is None else since
            longest = max(longest, look.at - since)
        else:
            since = None
    return longest
