"""Rules about what Lockstep's accounts may do to ConfigMaps."""

from collections.abc import Iterator

from webhook.doctor.findings import Fault, lines
from webhook.doctor.rights import Grant
from webhook.doctor.snapshot import together
from webhook.doctor.world import World
from webhook.kinds import Name


def too_many(world: World) -> Iterator[Fault]:
    """Lockstep may change ConfigMaps that are no targets."""
    for grant in world.grants:
        excess = _excess(world, grant)
        if excess:
            harm = f"{grant.account} may {excess}: a leaked token could change what is no target"
            yield Fault(grant.role, harm, _rule(_names(world, grant.binding.name)))


def too_few(world: World) -> Iterator[Fault]:
    """Lockstep may not patch a target."""
    for it in world.labelled:
        bound = [g for g in world.grants if g.writes and together(g.binding.name, it.item.name)]
        if not any(grant.patches(it.item.name) for grant in world.grants) and (
            bound or world.snapshot.live
        ):
            harm = "no Role lets Lockstep patch it, so its number never changes (WriteRefused)"
            yield Fault(it.item, harm, _rule(_names(world, it.item.name)))


def _excess(world: World, grant: Grant) -> str:
    """What an account may do beyond patching targets by name; empty if nothing."""
    if not grant.writes:
        return ""
    if grant.everywhere:
        return f"{_verbs(grant)} ConfigMaps in every namespace"
    if not grant.names:
        return f"{_verbs(grant)} every ConfigMap of its namespace"
    others = sorted(grant.names & _unlabelled(world, grant))
    if others:
        return f"{_verbs(grant)} {', '.join(others)}, which is no target"
    return f"{_verbs(grant)} its targets, and patch is enough" if grant.writes != {"patch"} else ""


def _verbs(grant: Grant) -> str:
    return ", ".join(sorted(grant.writes)).replace("*", "do anything to")


def _unlabelled(world: World, grant: Grant) -> frozenset[str]:
    """The names it has of no target: of files, only those of a ConfigMap that is among them."""
    targets = set(_names(world, grant.binding.name))
    if world.snapshot.live:
        return grant.names - targets
    near = (it.name for it in world.snapshot.of("ConfigMap"))
    return frozenset(it.name for it in near if together(it, grant.binding.name)) - targets


def _names(world: World, namespace: Name) -> list[str]:
    return sorted({it.item.name.name for it in world.labelled if together(it.item.name, namespace)})


def _rule(names: list[str]) -> tuple[str, ...]:
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": names or ["canary-vars"],
        "verbs": ["patch"],
    }
    return lines({"kind": "Role", "rules": [rule]}, "bound by a RoleBinding in the namespace")
