"""Flux's Kustomizations and HelmReleases as the doctor sees them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePath, PurePosixPath

from webhook.doctor.snapshot import Item, Snapshot
from webhook.fields import find, objects, strings, text

KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
HELM = "helm.toolkit.fluxcd.io"
SSA = f"{KUSTOMIZE}/ssa"
SUBSTITUTE = f"{KUSTOMIZE}/substitute"
WATCH = "reconcile.fluxcd.io/watch"


@dataclass(frozen=True, slots=True)
class Source:
    """A ConfigMap from which Flux takes variables or values."""

    name: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Kustomization:
    """A Flux Kustomization. `inventory` names what it applied, as `Kind namespace/name`."""

    item: Item
    path: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    inline: Mapping[str, str] = field(default_factory=dict)
    always: bool = False
    wait: bool = False
    checks: bool = False
    suspended: bool = False
    depends_on: tuple[str, ...] = ()
    inventory: tuple[str, ...] = ()

    def takes(self, configmap: str) -> bool:
        """Whether variables come from this ConfigMap of its namespace."""
        return any(it.name == configmap for it in self.sources)

    def applies(self, item: Item, snapshot: Snapshot) -> bool:
        """Whether the item is one of those that it applies."""
        if item.folder is None:
            owner = strings(item.obj, "metadata", "labels")
            return (
                owner.get(f"{KUSTOMIZE}/name") == self.item.name.name
                and owner.get(f"{KUSTOMIZE}/namespace") == self.item.name.namespace
            )
        if item == self.item or item.group == "kustomize.config.k8s.io":
            return False
        return any(self.leads_to(it) for it in _roots(item.folder, snapshot.built))

    def leads_to(self, folder: PurePath) -> bool:
        """Whether its path leads there: from the repository's root, if that is known."""
        if not folder.is_absolute():
            return folder.parts == self.path
        return bool(self.path) and folder.parts[-len(self.path) :] == self.path


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """A HelmRelease; `waits` says that an upgrade is over only once its pods are ready."""

    item: Item
    sources: tuple[Source, ...]
    waits: bool
    suspended: bool


def kustomization(item: Item) -> Kustomization:
    """The Flux Kustomization in an item.

    Raises:
        FieldError: a field is not as its CRD has it.
    """
    obj = item.obj
    return Kustomization(
        item=item,
        path=_path(text(obj, "spec", "path")),
        sources=_sources(item, "spec", "postBuild", "substituteFrom"),
        inline=strings(obj, "spec", "postBuild", "substitute"),
        always=text(obj, "spec", "postBuild", "substituteStrategy") == "Always",
        wait=find(obj, "spec", "wait") is True,
        checks=any(True for _ in objects(obj, "spec", "healthChecks")),
        suspended=find(obj, "spec", "suspend") is True,
        depends_on=tuple(text(it, "name") or "" for it in objects(obj, "spec", "dependsOn")),
        inventory=tuple(
            _entry(text(it, "id") or "") for it in objects(obj, "status", "inventory", "entries")
        ),
    )


def helm_release(item: Item) -> HelmRelease:
    """The HelmRelease in an item.

    Raises:
        FieldError: a field is not as its CRD has it.
    """
    return HelmRelease(
        item=item,
        sources=_sources(item, "spec", "valuesFrom"),
        waits=find(item.obj, "spec", "upgrade", "disableWait") is not True,
        suspended=find(item.obj, "spec", "suspend") is True,
    )


def _sources(item: Item, *path: str) -> tuple[Source, ...]:
    return tuple(
        Source(text(it, "name") or "", find(it, "optional") is True)
        for it in objects(item.obj, *path)
        if text(it, "kind") == "ConfigMap"
    )


def _path(text: str | None) -> tuple[str, ...]:
    return PurePosixPath(text or ".").parts


def _entry(entry: str) -> str:
    """`shop_canary-settings__ConfigMap`, as Flux keeps its inventory, for people."""
    namespace, _, rest = entry.partition("_")
    name, _, kind = rest.partition("_")
    return f"{kind.rpartition('_')[2]} {namespace}/{name}" if namespace else f"{kind} {name}"


@cache  # asked for each pair of an object and a Kustomization
def _roots(folder: PurePath, built: frozenset[PurePath]) -> tuple[PurePath, ...]:
    """The folders that, as the path of a Kustomization, hold what is in this folder.

    Flux builds a folder's own kustomization.yaml; where there is none, all that lies below.
    """
    above = (it for it in folder.parents if it not in built)
    return (folder, *above)
