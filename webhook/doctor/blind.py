"""What the rules could not look at, because it is not among the files. Pure."""

from collections.abc import Iterator

from webhook.doctor.snapshot import together
from webhook.doctor.world import World
from webhook.kinds import Name


def blind(world: World) -> Iterator[str]:
    """A sentence for each thing that is not there to be looked at; none for a cluster."""
    if not world.snapshot.live:
        yield from _workloads(world)
        yield from _renderers(world)
        yield from _rights(world)


def _workloads(world: World) -> Iterator[str]:
    for it in world.ours:
        kind, name = it.canary.target_kind, it.canary.target.name
        target = Name(it.item.name.namespace, name)
        if not any(
            item.name.name == name and together(item.name, target)
            for item in world.snapshot.of(str(kind), kind.group)
        ):
            yield f"{kind} {target} is not here, so what it mounts was not looked at"


def _renderers(world: World) -> Iterator[str]:
    for it in world.labelled:
        if not it.written and it.item.folder is not None and not any(world.appliers(it)):
            yield f"nothing of Flux's here applies {it.item}, so its rendering was not looked at"


def _rights(world: World) -> Iterator[str]:
    if world.labelled and not any(grant.writes for grant in world.grants):
        yield "no Role for Lockstep is here, so whether it may patch was not looked at"
