"""The law, judged on what the store holds: one rollout's revisions, in the store's order.

It shares no code with the service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from tests.cluster.client import Json
from tests.cluster.kinds import ROUTERS
from tests.cluster.observer import Revision, routed

UNANNOUNCED = 250.0
"""Milliseconds for which the client share may be above the routed one after a step down of which
Flagger says nothing beforehand."""


@dataclass(frozen=True)
class Moment:
    """What held from one revision on; shares are percentages 0-100.

    `runs` is whether the canary's workload is scaled above zero, `client` the highest target.
    """

    rv: int
    at: float
    routed: int = 0
    runs: bool = False
    exists: bool = False
    client: int = 0
    agree: bool = True
    phase: str = ""


@dataclass(frozen=True)
class Finding:
    """How often and for how many milliseconds something held that the law forbids."""

    revisions: int = 0
    longest: float = 0.0

    def __str__(self) -> str:
        """For the table."""
        return f"{self.revisions} / {self.longest:.0f} ms" if self.revisions else "-"


@dataclass(frozen=True)
class Judgement:
    """One rollout.

    `idle`: a client share above 0 while no canary ran; `above`: above the routed share; `off`: any
    other than it should be, be it lower for a moment before the router goes down;
    `raises` and `lags`: milliseconds from the router's step to the last target that followed it up
    and down; `leads`: how many milliseconds before the router it was down already.
    """

    idle: Finding
    above: Finding
    off: Finding
    raises: tuple[float, ...]
    lags: tuple[float, ...]
    leads: tuple[float, ...]
    writes: int
    changes: int
    peak: int
    phases: tuple[str, ...]
    end: Moment


def moments(revisions: Sequence[Revision]) -> list[Moment]:
    """What held after each revision."""
    now, at = Moment(0, 0.0), 0.0
    routers: dict[str, int] = {}
    targets: dict[str, int] = {}
    found: list[Moment] = []
    for it in revisions:
        at = max(at, it.at)  # the watches of two kinds may tell in another order than the store's
        gone = it.verb == "DELETED"
        if is_router(it.kind):
            routers[f"{it.kind}/{it.name}"] = 0 if gone else routed(it.object)
        elif it.kind == "ConfigMap" and labelled(it.object):
            targets[it.name] = share(it.object)
        elif it.kind in ("Deployment", "DaemonSet") and it.name == "frontend":
            now = replace(now, runs=not gone and _runs(it.object))
        elif it.kind == "Canary":
            deleted = gone or "deletionTimestamp" in it.object["metadata"]
            phase = it.object.get("status", {}).get("phase", "")
            now = replace(now, exists=not deleted, phase=phase)
        shares = set(targets.values()) or {0}
        now = replace(
            now, rv=it.rv, at=at, routed=max(routers.values(), default=0),
            client=max(shares), agree=len(shares) == 1,
        )  # fmt: skip
        found.append(now)
    return found


def judge(revisions: Sequence[Revision]) -> Judgement:
    """The judgement on one rollout."""
    seen = moments(revisions)
    shares = [it.client for it in seen]
    phases = [it.phase for it in seen if it.phase]
    return Judgement(
        idle=_finding(seen, [it.client > 0 and not it.runs for it in seen]),
        above=_finding(seen, [it.client > it.routed for it in seen]),
        off=_finding(seen, [not it.agree or it.client != desired(it) for it in seen]),
        raises=tuple(_followed(seen, up=True)),
        lags=tuple(ms for ms in _followed(seen, up=False) if ms > 0),
        leads=tuple(-ms for ms in _followed(seen, up=False) if ms <= 0),
        writes=sum(it.kind == "ConfigMap" and it.verb == "MODIFIED" and labelled(it.object)
                   for it in revisions),
        changes=sum(before != after for before, after in pairwise(shares)),
        peak=max(shares, default=0),
        phases=tuple(phase for phase, last in zip(phases, ["", *phases], strict=False)
                     if phase != last),
        end=seen[-1],
    )  # fmt: skip


def desired(moment: Moment) -> int:
    """What the targets should hold, as far as the store tells."""
    set_up = moment.phase not in ("", "Initializing")
    return moment.routed if moment.runs and moment.exists and set_up else 0


def _finding(seen: Sequence[Moment], wrong: Sequence[bool]) -> Finding:
    longest, since = 0.0, None
    for moment, bad in zip(seen, wrong, strict=True):
        if since is not None:
            longest = max(longest, (moment.at - since) * 1000)
        since = (since if since is not None else moment.at) if bad else None
    return Finding(sum(wrong), longest)


def _followed(seen: Sequence[Moment], *, up: bool) -> Iterator[float]:
    """For each step of the router, after how many milliseconds the targets had followed it.

    Below 0 where they went down before. Steps that the next one overtook count to the last of them.
    """
    for index, (before, now) in enumerate(pairwise(seen), start=1):
        if (now.routed > before.routed) != up or now.routed == before.routed:
            continue
        if not up and now.client <= now.routed:
            yield (_since(seen, index) - now.at) * 1000
            continue
        for later in seen[index:]:
            if later.routed != now.routed:
                break
            if later.agree and later.client == desired(later):
                yield (later.at - now.at) * 1000
                break


def _since(seen: Sequence[Moment], index: int) -> float:
    """Since when the client share has been as low as the router is from `index` on."""
    now = seen[index]
    since = now.at
    for earlier in reversed(seen[:index]):
        if earlier.client > now.routed:
            break
        since = earlier.at
    return since


def is_router(kind: str) -> bool:
    """Whether Flagger keeps weights in objects of the kind."""
    return kind == "Ingress" or kind in ROUTERS


def labelled(obj: Json) -> bool:
    """Whether a ConfigMap is a target."""
    return "lockstep/canary" in obj["metadata"].get("labels", {})


def share(target: Json) -> int:
    """The percentage in a target."""
    data = target["data"]
    if "config.json" in data:
        return int(json.loads(data["config.json"])["CANARY_PERCENTAGE"])
    return int(data["CANARY_PERCENTAGE"])


def _runs(workload: Json) -> bool:
    if workload["kind"] == "DaemonSet":
        selector = workload["spec"]["template"]["spec"].get("nodeSelector") or {}
        return "flagger.app/scale-to-zero" not in selector
    return int(workload["spec"].get("replicas", 1)) > 0


def table(judgements: dict[str, Judgement]) -> str:
    """Markdown, a row a scenario; durations in milliseconds."""
    head = (
        "scenario", "phases", "peak", "idle", "above routed", "raises p50 / max",
        "falls before the router", "falls after it, max", "out of step, longest",
        "writes / changes", "in step at the end",
    )  # fmt: skip
    rows = [_row(name, it) for name, it in judgements.items()]
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _raises(times: Sequence[float]) -> str:
    return f"{median(times):.0f} / {max(times):.0f} ms ({len(times)})" if times else "-"


def _row(name: str, it: Judgement) -> tuple[str, ...]:
    end = it.end
    return (
        name,
        " → ".join(it.phases),
        f"{it.peak} %",
        str(it.idle),
        str(it.above),
        _raises(it.raises),
        str(len(it.leads)) if it.leads else "-",
        f"{max(it.lags):.0f} ms ({len(it.lags)})" if it.lags else "-",
        f"{it.off.longest:.0f} ms",
        f"{it.writes} / {it.changes}",
        "yes" if end.agree and end.client == desired(end) else f"no: {end.client} %",
    )
