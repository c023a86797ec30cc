"""Rules about the ConfigMaps that hold the number."""

from collections.abc import Iterator

from webhook.doctor.findings import Fault, label, lines, place
from webhook.doctor.snapshot import together
from webhook.doctor.world import Labelled, World
from webhook.fields import strings
from webhook.targets import KEY, LABEL, NUMBER, BrokenTarget, Target


def invalid(world: World) -> Iterator[Fault]:
    """A labelled ConfigMap holds no number that Lockstep can read."""
    for it in world.labelled:
        if isinstance(it.target, BrokenTarget) and not it.immutable:
            harm = f"{it.target.problem}, so it is never written and every rollout is refused"
            yield Fault(it.item, harm, _zero(it, _key(it)))


def in_git(world: World) -> Iterator[Fault]:
    """The number in Git is not 0."""
    for it in world.labelled:
        if it.item.folder is not None and isinstance(it.target, Target) and it.target.share:
            harm = (
                f"Git says {it.target.share} %: that many browsers get the canary's assets when it "
                "is applied, whatever is routed"
            )
            yield Fault(it.item, harm, _zero(it, it.target.key))


def no_default(world: World) -> Iterator[Fault]:
    """The rendered text has no default for the number: without the variable it is no JSON."""
    for it in world.labelled:
        if it.variables.get(NUMBER, "0") is None:
            harm = "while the variable does not exist, Flux renders nothing in its place: no JSON"
            yield Fault(it.item, harm, place(NUMBER))


def no_write_target(world: World) -> Iterator[Fault]:
    """A Canary that asks Lockstep has no ConfigMap for it to write."""
    for it in world.ours:
        elsewhere = not world.snapshot.live and not world.labelled
        if not elsewhere and not any(target.written for target in world.targets(it)):
            harm = (
                "no ConfigMap of its namespace is Lockstep's to write, so browsers stay at 0 and "
                "confirm-rollout refuses every rollout (NoTargets)"
            )
            fix = lines(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "canary-vars", "labels": {LABEL: it.item.name.name}},
                    "data": {NUMBER: "0"},
                }
            )
            yield Fault(it.item, harm, fix)


def unknown_canary(world: World) -> Iterator[Fault]:
    """A label names a Canary that is not in the namespace."""
    for it in world.labelled:
        near = [
            release.item.name.name
            for release in world.releases
            if together(release.item.name, it.item.name)
        ]
        if it.canary not in near and (near or world.snapshot.live):
            harm = f"its label names the Canary {it.canary!r}, which its namespace does not have"
            yield Fault(it.item, harm, label(LABEL, near[0] if near else "<canary>"))


def _key(it: Labelled) -> str:
    """The data key that a ConfigMap without a valid number should have it under."""
    data = strings(it.item.obj, "data")
    return it.annotations.get(KEY) or ("config.json" if "config.json" in data else NUMBER)


def _zero(it: Labelled, key: str) -> tuple[str, ...]:
    if NUMBER in it.variables:
        return place(NUMBER)
    if key.endswith(".json"):
        return (f"# in {key}", f'"{NUMBER}": 0,')
    return lines({"data": {key: "0"}})
