"""Rules about ConfigMaps that the frontend's own pods use."""

import re
from collections.abc import Iterator

from webhook.doctor.findings import Fault, annotation, lines
from webhook.doctor.pods import How
from webhook.doctor.snapshot import KUSTOMIZE, together
from webhook.doctor.world import Labelled, Workload, World
from webhook.fields import find, objects, text
from webhook.targets import LABEL

TRACKING = "flagger.app/config-tracking"
RELOADER = "reloader.stakater.com/ignore"
_HASHED = re.compile(r"(.+)-[2456789bcdfghkmt]{10}")
"""Kustomize's suffix: ten digits of an alphabet in which no word can be spelled."""

_ENDPOINT = re.compile(r"lockstep|/config/[^/\s]+/[^/\s]+\.json", re.IGNORECASE)
_TRACKED = ("Deployment", "DaemonSet")


def config_tracking(world: World) -> Iterator[Fault]:
    """Flagger tracks the number's ConfigMap, and restarts the analysis with each change."""
    for it, workload in _by_target(world):
        # Flagger looks for this beginning only
        tracked = not it.annotations.get(TRACKING, "").startswith("disable")
        if tracked and workload.item.kind in _TRACKED:
            harm = (
                f"{workload.item} uses it, so Flagger takes each new number for a new revision: it "
                "routes back to 0 and restarts the analysis, endlessly"
            )
            yield Fault(it.item, harm, annotation(TRACKING, "disabled"))


def reloader(world: World) -> Iterator[Fault]:
    """Reloader restarts the frontend for each new number."""
    for it, workload in _by_target(world):
        if it.annotations.get(RELOADER) != "true":
            harm = f"where Reloader runs, it restarts {workload.item} for each new number"
            yield Fault(it.item, harm, annotation(RELOADER, "true"))


def sub_path(world: World) -> Iterator[Fault]:
    """Pods mount the number by `subPath`, which kubelets never renew."""
    for it, workload, use in world.mounted:
        if use.how is How.SUB_PATH:
            harm = (
                f"{use.where} mounts {it.item} by subPath, and so keeps its first number for ever"
            )
            yield Fault(workload.item, harm, _MOUNT)


def environment(world: World) -> Iterator[Fault]:
    """Pods take the number into their environment, which never changes."""
    for it, workload, use in world.mounted:
        if use.how is How.ENVIRONMENT:
            harm = f"{use.where} takes {it.item} into its environment, where no new number arrives"
            yield Fault(workload.item, harm, _MOUNT)


def immutable(world: World) -> Iterator[Fault]:
    """A labelled ConfigMap is immutable."""
    for it in world.labelled:
        if it.immutable:
            harm = "it is immutable, so its number can never change and every rollout is refused"
            fix = lines({"immutable": False}, "delete it once, and create it again with")
            yield Fault(it.item, harm, fix)


def hash_suffix(world: World) -> Iterator[Fault]:
    """A labelled ConfigMap comes from a generator and gets a new name with each change."""
    for it in world.labelled:
        hashed = _HASHED.fullmatch(it.item.name.name)
        if hashed:
            harm = (
                "a Kustomize generator gave it a name with a hash: Lockstep's Role names another, "
                "and with each change in Git the old one stays behind, labelled"
            )
            yield Fault(it.item, harm, _no_suffix(hashed[1]))
    yield from _generators(world)


def _generators(world: World) -> Iterator[Fault]:
    """The same, where nothing was built and only the generator is seen."""
    for item in world.snapshot.items:
        if item.group != KUSTOMIZE or item.folder in world.snapshot.built:
            continue
        everywhere = find(item.obj, "generatorOptions")
        for it in objects(item.obj, "configMapGenerator"):
            options = [everywhere, find(it, "options")]
            labelled = any(text(option, "labels", LABEL) for option in options)
            if labelled and not any(find(o, "disableNameSuffixHash") for o in options):
                name = text(it, "name") or ""
                harm = f"the ConfigMap {name} gets a name with a hash, which Lockstep may not patch"
                yield Fault(item, harm, _no_suffix(name))


def mounted_only(world: World) -> Iterator[Fault]:
    """A frontend only mounts the number: a drop reaches browsers a minute late."""
    for it, workload in _by_target(world):
        if not _asks_the_endpoint(world, workload):
            harm = (
                f"nothing of it points to the config endpoint, so browsers have {it.item} as "
                "kubelets renew it: a drop reaches them about a minute late"
            )
            yield Fault(workload.item, harm, _ASK)


_MOUNT = (
    "# mount the whole ConfigMap as a folder, and read the file in it",
    "volumeMounts:",
    "  - name: settings",
    "    mountPath: /etc/frontend",
)
_ASK = (
    "# in nginx, as docs/config-endpoint.md has it whole",
    "set $lockstep lockstep-config.lockstep-system.svc.cluster.local;",
    "proxy_pass http://$lockstep/config/<namespace>/<configmap>.json;",
)


def _no_suffix(name: str) -> tuple[str, ...]:
    options = {"disableNameSuffixHash": True}
    return lines({"configMapGenerator": [{"name": name, "options": options}]})


def _by_target(world: World) -> Iterator[tuple[Labelled, Workload]]:
    """Each ConfigMap that pods use, with the first workload that does."""
    seen = set()
    for it, workload, _ in world.mounted:
        if id(it) not in seen:
            seen.add(id(it))
            yield it, workload


def _asks_the_endpoint(world: World, workload: Workload) -> bool:
    """Whether its pods, or a ConfigMap that they use, name the config endpoint."""
    if _mentions(find(workload.item.obj, "spec", "template", "spec", "containers")):
        return True
    used = {use.configmap for use in workload.uses}
    return any(
        _mentions(find(it.obj, "data"))
        for it in world.snapshot.of("ConfigMap")
        if it.name.name in used and together(it.name, workload.item.name)
    )


def _mentions(value: object) -> bool:
    if isinstance(value, str):
        return bool(_ENDPOINT.search(value))
    if isinstance(value, dict):
        return any(_mentions(it) for it in value.values())
    return isinstance(value, list) and any(map(_mentions, value))
