"""`lockstep status`: what is known of each canary, as a table or as JSON. Pure."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from webhook import brakes, checks
from webhook.canary import Brakes, Canary
from webhook.checks import Outcome
from webhook.kinds import Name
from webhook.targets import Target
from webhook.view import Problem

_HEAD = ("NAMESPACE", "NAME", "PHASE", "ROUTED", "CLIENT", "DESIRED", "IN STEP", "BRAKES")
_UNKNOWN = "?"
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class TargetShare:
    """A ConfigMap of a canary; `share` is a percentage 0-100, None where it cannot be read."""

    configmap: str
    mode: str | None
    share: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A canary as it stands; shares are percentages 0-100, None where they are not known.

    `in_step` is None where there is no ConfigMap, or where the cluster could not be read.
    """

    ref: Name
    phase: str | None = None
    routed: int | None = None
    desired: int | None = None
    ceiling: int | None = None
    in_step: bool | None = None
    targets: tuple[TargetShare, ...] = ()
    brakes: Brakes = Brakes()
    problems: tuple[Problem, ...] = ()
    unread: bool = False


def standing(outcome: Outcome) -> Standing:
    """How a canary stands, by the service's own decision on what was read."""
    view, decision = outcome.view, outcome.decision
    found = (checks.not_synced, checks.brake_invalid, checks.ceiling_in_force)
    problems = dict.fromkeys(problem for check in found if (problem := check(outcome)))
    return Standing(
        ref=view.ref,
        phase=view.canary.phase.value if isinstance(view.canary, Canary) else None,
        routed=decision.routed,
        desired=decision.desired,
        ceiling=decision.ceiling.value if decision.ceiling else None,
        in_step=decision.in_step if view.targets else None,
        targets=tuple(
            TargetShare(it.name.name, it.mode, it.share if isinstance(it, Target) else None)
            for it in view.targets
        ),
        brakes=view.brakes,
        problems=tuple(problems),
    )


def unread(ref: Name, problem: Problem) -> Standing:
    """A canary of which the cluster could not tell enough."""
    return Standing(ref, problems=(problem,), unread=True)


def document(standings: Sequence[Standing]) -> str:
    """The JSON of `--output json`; its fields are in docs/status.md."""
    return json.dumps({"canaries": [_fields(it) for it in standings]}, indent=2)


def table(standings: Sequence[Standing], width: int = 0) -> str:
    """The table, and below it what is wrong, wrapped at `width` columns unless that is 0.

    Where the table is wider than that, the reasons stand below it only.
    """
    lines = _rows(standings, width)
    concerned: dict[Problem, list[str]] = {}
    for it in standings:
        for problem in it.problems:
            concerned.setdefault(problem, []).append(str(it.ref))
    notes = [f"{', '.join(refs)}: {it.reason}: {it.message}" for it, refs in concerned.items()]
    return "\n".join(
        [*lines, *([""] if notes else []), *(wrapped(it, width, "  ") for it in notes)]
    )


def wrapped(text: str, width: int, indent: str = "") -> str:
    """A line broken at words for a terminal of that width; 0 is none, and commands stay whole."""
    if not width or text.startswith(" "):
        return text
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _rows(standings: Sequence[Standing], width: int) -> list[str]:
    full = _aligned([_cells(it, _in_step(it)) for it in standings])
    if not width or max(map(len, full)) <= width:
        return full
    return _aligned([_cells(it, _in_step(it).partition(":")[0]) for it in standings])


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    rows = [_HEAD, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _cells(it: Standing, in_step: str) -> tuple[str, ...]:
    phase = _UNKNOWN if it.phase is None else it.phase or _NOTHING
    desired = _percent(it.desired)
    on = " ".join(brakes.shown(it.brakes)) or _NOTHING
    known = (it.ref.namespace, it.ref.name, phase, _percent(it.routed))
    return (*known, _client(it), desired, in_step, on)


def _client(it: Standing) -> str:
    shares = [target.share for target in it.targets]
    if len(set(shares)) == 1:
        return _percent(shares[0])
    return ", ".join(map(_percent, shares)) or (_UNKNOWN if it.unread else _NOTHING)


def _in_step(it: Standing) -> str:
    if it.in_step is None and not it.unread:
        return _NOTHING
    word = {True: "yes", False: "no", None: _UNKNOWN}[it.in_step]
    return f"{word}: {it.problems[0].reason}" if it.problems and not it.in_step else word


def _percent(share: int | None) -> str:
    return _UNKNOWN if share is None else f"{share}%"


def _fields(it: Standing) -> dict[str, object]:
    return {
        "namespace": it.ref.namespace,
        "canary": it.ref.name,
        "phase": it.phase,
        "routed": it.routed,
        "desired": it.desired,
        "ceiling": it.ceiling,
        "in_step": it.in_step,
        "targets": [asdict(target) for target in it.targets],
        "hold": it.brakes.hold,
        "rollback": it.brakes.rollback,
        "cap": it.brakes.cap,
        "problems": [asdict(problem) for problem in it.problems],
    }
