"""Rules about how Flux renders and applies the number."""

from collections.abc import Iterable, Iterator
from itertools import chain

from webhook.doctor.findings import Fault, annotation, label, lines, place
from webhook.doctor.flux import SSA, SUBSTITUTE, WATCH, HelmRelease, Kustomization
from webhook.doctor.snapshot import together
from webhook.doctor.world import Labelled, World
from webhook.kinds import Name
from webhook.targets import MODE, NUMBER, BrokenTarget, Mode, Target

_LEFT_ALONE = ("IfNotPresent", "Ignore")
_SHOWN = 5


def two_writers(world: World) -> Iterator[Fault]:
    """A ConfigMap that Flux renders is not in mode `verify`, so both write it."""
    for it in world.written:
        if any(ks in world.rendering for ks in world.appliers(it)) and not _left_alone(it):
            harm = "Lockstep and Flux both write it: each reconcile of Flux's undoes the number"
            yield Fault(it.item, harm, annotation(MODE, Mode.VERIFY))


def flux_resets(world: World) -> Iterator[Fault]:
    """Flux applies a ConfigMap that Lockstep writes, and puts Git's number back."""
    for it in world.written:
        appliers = world.appliers(it)
        variable = any(it in world.variables(ks) for ks in world.kustomizations)
        rendered = any(ks in world.rendering for ks in appliers)
        if (appliers or variable) and not rendered and not _left_alone(it):
            harm = "Flux puts Git's number back at each of its reconciles, in mid-rollout too"
            yield Fault(it.item, harm, annotation(SSA, "IfNotPresent"))


def two_variables(world: World) -> Iterator[Fault]:
    """One rendered ConfigMap takes its variable from two that Lockstep writes."""
    for owner in _owners(world):
        # by name: two overlays may both have it
        found = {it.item.name.name: it.target for it in world.variables(owner)}
        keys = [target.key for target in found.values() if isinstance(target, Target)]
        if len(set(keys)) < len(keys):
            harm = (
                f"it takes the same variable from {' and '.join(found)}: the last one wins, and "
                "what Lockstep writes into the other reaches no browser"
            )
            yield Fault(owner.item, harm, _sources(owner, list(found)[-1]))


def watch_label(world: World) -> Iterator[Fault]:
    """Flux does not watch the variable, and renders a new number at its next interval only."""
    for owner in _owners(world):
        for it in world.variables(owner):
            if it.labels.get(WATCH) != "Enabled":
                harm = f"{owner.item} renders a new number only at its next interval, not at once"
                yield Fault(it.item, harm, label(WATCH, "Enabled"))


def waiting(world: World) -> Iterator[Fault]:
    """A health check holds the next number back."""
    for ks in world.rendering:
        held: dict[str, object] = {"wait": False} if ks.wait else {}
        if ks.checks:
            held["healthChecks"] = []
        if held:
            what = " and ".join(held)
            harm = f"its {what} hold the next number back until the last one's check is over"
            yield Fault(ks.item, harm, lines({"spec": held}))


def depends(world: World) -> Iterator[Fault]:
    """What the rendering Kustomization depends on holds the number back."""
    for ks in world.rendering:
        if ks.depends_on:
            harm = (
                f"it depends on {', '.join(ks.depends_on)}: while that is not ready, as in a "
                "rollout, no number is rendered"
            )
            fix = lines({"spec": {"dependsOn": []}}, "let the other depend on this one")
            yield Fault(ks.item, harm, fix)


def foreign_objects(world: World) -> Iterator[Fault]:
    """The rendering Kustomization applies other objects as well, with each step."""
    for ks in world.rendering:
        foreign = _foreign(world, ks)
        if foreign:
            more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
            harm = (
                f"each step applies {', '.join(foreign[:_SHOWN])}{more} as well: it re-sets "
                "replicas, and fills in ${…} of scripts"
            )
            fix = ("# a folder with the labelled ConfigMap alone", "spec:", "  path: ./<folder>")
            yield Fault(ks.item, harm, fix)


def strategy(world: World) -> Iterator[Fault]:
    """Without `substituteStrategy: Always` nothing is substituted while there is no variable."""
    for ks in world.rendering:
        if not ks.always:
            harm = (
                "while there is no variable, Flux leaves ${…} as it is: the first render is no JSON"
            )
            fix = lines({"spec": {"postBuild": {"substituteStrategy": "Always"}}})
            yield Fault(ks.item, harm, fix)


def inline(world: World) -> Iterator[Fault]:
    """An inline variable wins over the one that Lockstep writes."""
    for ks in world.kustomizations:
        used = ks in world.rendering or ks.sources
        if NUMBER in ks.inline and used:
            harm = f"its inline {NUMBER} ({ks.inline[NUMBER]}) wins over what Lockstep writes"
            left = {name: value for name, value in ks.inline.items() if name != NUMBER}
            fix = lines({"spec": {"postBuild": {"substitute": left}}}, f"without {NUMBER}")
            yield Fault(ks.item, harm, fix)


def optional(world: World) -> Iterator[Fault]:
    """A variable that does not exist yet fails the render."""
    for owner in _owners(world):
        variables = {it.item.name.name for it in world.variables(owner)}
        for source in owner.sources:
            if source.name in variables and not source.optional:
                harm = f"while {source.name} does not exist, it fails and renders nothing at all"
                yield Fault(owner.item, harm, _sources(owner, source.name))


def not_rendered(world: World) -> Iterator[Fault]:
    """A ConfigMap in mode `verify` is rendered without the variable, so no gate ever opens."""
    for it in world.labelled:
        if it.written:
            continue
        for where, said in (("labels", it.labels), ("annotations", it.annotations)):
            if said.get(SUBSTITUTE) == "disabled":
                harm = "Flux leaves its ${…} alone, so it never follows and no gate opens"
                fix = lines({"metadata": {where: {SUBSTITUTE: "enabled"}}}, "or without this line")
                yield Fault(it.item, harm, fix)
        for ks in world.appliers(it):
            yield from _unfilled(world, it, ks)


def _unfilled(world: World, it: Labelled, ks: Kustomization) -> Iterator[Fault]:
    """Why a Kustomization's variables do not reach what it renders."""
    never = f"{it.item} never follows and no gate opens"
    written = [other.item.name for other in world.written if _same(other, it)]
    variables = world.variables(ks)
    # Of files it may be one that is not among them, where none of this Canary's is either.
    if not ks.sources or (written and not variables):
        name = written[0] if written else Name("", "canary-vars")
        if ks.takes(name.name):
            harm = f"it looks for {name.name} in its own namespace, and that is {name}: {never}"
            fix = lines({"metadata": {"namespace": name.namespace}})
        else:
            taken = ", ".join(source.name for source in ks.sources) or "no variable"
            harm = f"it takes {taken}, so {never}"
            fix = _sources(ks, name.name)
        yield Fault(ks.item, harm, fix)
    elif variables and it.item.folder is not None and not _places(it, variables):
        harm = "its text has no place for the variable that Lockstep writes: no gate opens"
        yield Fault(it.item, harm, place(NUMBER))


def _same(one: Labelled, other: Labelled) -> bool:
    """Whether they are one Canary's."""
    return one.canary == other.canary and together(one.item.name, other.item.name)


def _places(it: Labelled, variables: Iterable[Labelled]) -> bool:
    """Whether its text has a place for one of the variables."""
    return any(
        isinstance(variable.target, BrokenTarget) or variable.target.key in it.variables
        for variable in variables
    )


def suspended(world: World) -> Iterator[Fault]:
    """Flux renders nothing, since it is suspended."""
    owners: list[Kustomization | HelmRelease] = [*world.rendering, *_helm(world)]
    for owner in owners:
        if owner.suspended:
            harm = (
                "it is suspended: no raise is rendered and gates refuse; a lowering comes late, "
                "by Lockstep's own hand"
            )
            yield Fault(owner.item, harm, lines({"spec": {"suspend": False}}))


def helm_waits(world: World) -> Iterator[Fault]:
    """A Helm upgrade waits for pods, and the next number waits for the upgrade."""
    for it in _helm(world):
        if it.waits:
            harm = "an upgrade waits until every pod is ready, and the next number waits for it"
            yield Fault(it.item, harm, lines({"spec": {"upgrade": {"disableWait": True}}}))


def _owners(world: World) -> Iterator[Kustomization | HelmRelease]:
    return chain(world.kustomizations, world.helm_releases)


def _helm(world: World) -> tuple[HelmRelease, ...]:
    """The HelmReleases that take the number as a value."""
    return tuple(it for it in world.helm_releases if world.variables(it))


def _left_alone(it: Labelled) -> bool:
    return it.annotations.get(SSA) in _LEFT_ALONE


def _foreign(world: World, ks: Kustomization) -> list[str]:
    """What a Kustomization applies that holds no client share."""
    targets = {str(it.item) for it in world.labelled}
    if world.snapshot.live:
        return [entry for entry in ks.inventory if entry not in targets]
    applied = (it for it in world.snapshot.items if ks.applies(it, world.snapshot))
    return list(dict.fromkeys(str(it) for it in applied if str(it) not in targets))


def _sources(owner: Kustomization | HelmRelease, name: str) -> tuple[str, ...]:
    source: dict[str, object] = {"kind": "ConfigMap", "name": name}
    if isinstance(owner, HelmRelease):
        values = {"valuesKey": NUMBER, "targetPath": "canary.percentage", "optional": True}
        return lines({"spec": {"valuesFrom": [source | values]}})
    return lines({"spec": {"postBuild": {"substituteFrom": [source | {"optional": True}]}}})
