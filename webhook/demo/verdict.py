"""Whether the law was kept: a judgement on what the store's revisions show. Pure.

After an announced step down the client share may never be above the routed one; after one that
Flagger did not announce for `BOUND` at the longest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from webhook.demo.moments import Moment
from webhook.policy import Announced

BOUND = 0.25
"""Seconds within which the watch must follow a step down that nobody announced."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message on `/event`, and when Lockstep had answered it (time.monotonic())."""

    at: float
    message: str

    @property
    def of_step_down(self) -> bool:
        """Whether Flagger says that it is about to step down."""
        return any(self.message.startswith(start) for start in Announced)


@dataclass(frozen=True, slots=True)
class Fall:
    """A step down of the routed share.

    `lag` is for how many seconds browsers were given more than was routed; below 0, how long
    before the router they had been given less already.
    """

    rv: int
    announced: bool
    lag: float


@dataclass(frozen=True, slots=True)
class Violation:
    """A breach of the law at a revision of the store."""

    rv: int
    text: str

    def __str__(self) -> str:
        """One line."""
        return f"at revision {self.rv}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one canary; durations are seconds.

    `raises` is how long each took from router to target. `idle` is the longest time for which
    the client share was above 0 while no canary ran.
    """

    violations: tuple[Violation, ...] = ()
    raises: tuple[float, ...] = ()
    falls: tuple[Fall, ...] = ()
    idle: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether the law was kept."""
        return not self.violations

    def lags(self, *, announced: bool) -> list[float]:
        """The falls of one sort, see `Fall.lag`."""
        return [fall.lag for fall in self.falls if fall.announced is announced]


def judge(
    moments: Sequence[Moment], announcements: Iterable[Announcement], idle_bound: float = 0.0
) -> Verdict:
    """The verdict on one canary's moments, in order.

    `idle_bound` is for how many seconds the client share may be above 0 while no canary runs:
    none where Flagger's events reach Lockstep, `BOUND` where they do not.
    """
    times = [it.at for it in announcements if it.of_step_down]
    falls = tuple(_falls(moments, times))
    idle = list(_idle(moments))
    violations = [
        *_raised_too_high(moments, falls),
        *(it for fall in falls for it in _late(moments, fall)),
        *(it for start, seconds in idle for it in _ran_nothing(start, seconds, idle_bound)),
        *_out_of_step(moments),
    ]
    return Verdict(
        violations=tuple(sorted(violations, key=lambda it: it.rv)),
        raises=tuple(_raises(moments)),
        falls=falls,
        idle=max((seconds for _, seconds in idle), default=0.0),
    )


def _raised_too_high(moments: Sequence[Moment], falls: Sequence[Fall]) -> Iterable[Violation]:
    for before, now in pairwise(moments):
        raised = _share(now) > _share(before) and (now.routed is None or _above(now))
        if raised and not _overtaken(moments, now, falls):
            text = f"raised to {_percent(now.client)} while {_percent(now.routed)} was routed"
            yield Violation(now.rv, text)


def _overtaken(moments: Sequence[Moment], now: Moment, falls: Sequence[Fall]) -> bool:
    """Whether a fall that nobody announced came between the decision to raise and its write.

    A newer view that wrote nothing has left nothing to conflict with, so this may happen; it is
    then part of that fall, and as bounded. After an announcement there is a ceiling to conflict.
    """
    fall = next((it for it in reversed(falls) if it.rv <= now.rv), None)
    if fall is None or fall.announced:
        return False
    before, at = next(pair for pair in pairwise(moments) if pair[1].rv == fall.rv)
    return (before.routed or 0) >= _share(now) and now.at - at.at <= BOUND


def _falls(moments: Sequence[Moment], announced: Sequence[float]) -> Iterable[Fall]:
    last_change = float("-inf")
    for index in range(1, len(moments)):
        before, now = moments[index - 1], moments[index]
        if before.routed == now.routed:
            continue
        if before.routed is not None and now.routed is not None and now.routed < before.routed:
            known = any(last_change < at <= now.at for at in announced)
            yield Fall(now.rv, known, _lag(moments, index))
        last_change = now.at


def _lag(moments: Sequence[Moment], index: int) -> float:
    now = moments[index]
    while_it_lasts = takewhile(lambda it: it.routed == now.routed, moments[index:])
    if above := [it for it in while_it_lasts if _above(it)]:
        below = (it.at for it in moments if it.rv > above[-1].rv and not _above(it))
        return next(below, moments[-1].at) - now.at
    since = now.at
    for earlier in reversed(moments[:index]):
        if _share(earlier) > (now.routed or 0):
            break
        since = earlier.at
    return since - now.at


def _late(moments: Sequence[Moment], fall: Fall) -> Iterable[Violation]:
    now = next(it for it in moments if it.rv == fall.rv)
    step = f"{_percent(now.routed)} was routed, the target still had {_percent(now.client)}"
    if fall.announced and _above(now):
        yield Violation(fall.rv, f"{step} although Flagger had announced it")
    elif fall.lag > BOUND:
        yield Violation(
            fall.rv, f"{step} for {fall.lag * 1000:.0f} ms (at most {BOUND * 1000:.0f})"
        )


def _idle(moments: Sequence[Moment]) -> Iterable[tuple[Moment, float]]:
    """Each time that the client share was above 0 without a canary: its beginning, its length."""
    start = None
    for now in moments:
        wrong = not now.running and _share(now) > 0
        if start and not wrong:
            yield start, now.at - start.at
        start = (start or now) if wrong else None
    if start:
        yield start, moments[-1].at - start.at


def _ran_nothing(start: Moment, seconds: float, bound: float) -> Iterable[Violation]:
    if not bound or seconds > bound:
        length = f"{seconds * 1000:.0f} ms"
        text = f"the target had {_percent(start.client)} for {length} while no canary ran"
        yield Violation(start.rv, text)


def _out_of_step(moments: Sequence[Moment]) -> Iterable[Violation]:
    for last in moments[-1:]:
        if last.client != last.routed:
            text = f"it ended with {_percent(last.client)} while {_percent(last.routed)} was routed"
            yield Violation(last.rv, text)


def _raises(moments: Sequence[Moment]) -> Iterable[float]:
    """How long each raise took that the router did not overtake."""
    for index in range(1, len(moments)):
        before, now = moments[index - 1], moments[index]
        if before.routed is None or now.routed is None or now.routed <= before.routed:
            continue
        for later in moments[index:]:
            if later.routed != now.routed:
                break
            if later.client == now.routed:
                yield later.at - now.at
                break


def _share(moment: Moment) -> int:
    """What browsers go by; nothing to go by is 0."""
    return moment.client or 0


def _above(moment: Moment) -> bool:
    return moment.routed is not None and _share(moment) > moment.routed


def _percent(share: int | None) -> str:
    return "an unknown share" if share is None else f"{share} %"
