"""What the rules look at: the objects of a snapshot, parsed once, and who belongs to whom. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeVar

from webhook import targets
from webhook.doctor import canaries, flux, rights
from webhook.doctor.canaries import Release
from webhook.doctor.flux import HelmRelease, Kustomization
from webhook.doctor.pods import Use, uses
from webhook.doctor.rights import Grant
from webhook.doctor.snapshot import Item, Snapshot, together
from webhook.doctor.substitution import defaults, substituted
from webhook.fields import FieldError, Object, find, strings
from webhook.targets import LABEL, NUMBER, BrokenTarget, Mode, Target

Part = TypeVar("Part")
_WORKLOADS = ("Deployment", "DaemonSet", "StatefulSet")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A ConfigMap with the label: its target, as Flux would render it, and the canary's name.

    `variables` are the places that its text has for Flux to fill in, with their defaults.
    """

    item: Item
    canary: str
    target: Target | BrokenTarget
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    immutable: bool
    variables: Mapping[str, str | None]

    @property
    def written(self) -> bool:
        """Whether it is Lockstep's to write; a broken one counts, its owner meant it."""
        return self.target.mode is not Mode.VERIFY


@dataclass(frozen=True, slots=True)
class Workload:
    """What runs pods, and how these use ConfigMaps."""

    item: Item
    uses: tuple[Use, ...]

    def using(self, item: Item) -> tuple[Use, ...]:
        """How its pods use a ConfigMap."""
        if not together(self.item.name, item.name):
            return ()
        return tuple(use for use in self.uses if use.configmap == item.name.name)


@dataclass(frozen=True)
class World:
    """All there is, and `malformed`: what is not as its kind should be, and why."""

    snapshot: Snapshot
    releases: tuple[Release, ...]
    labelled: tuple[Labelled, ...]
    workloads: tuple[Workload, ...]
    kustomizations: tuple[Kustomization, ...]
    helm_releases: tuple[HelmRelease, ...]
    grants: tuple[Grant, ...]
    event_webhooks: frozenset[str]
    malformed: tuple[tuple[Item, str], ...]

    @cached_property
    def ours(self) -> tuple[Release, ...]:
        """The Canaries that Lockstep is about: they call it, or a ConfigMap names them."""
        return tuple(it for it in self.releases if it.asks or any(self.targets(it)))

    @cached_property
    def rendering(self) -> tuple[Kustomization, ...]:
        """The Kustomizations that render a client share."""
        return tuple(it for it in self.kustomizations if self._renders_a_share(it))

    @cached_property
    def written(self) -> tuple[Labelled, ...]:
        """The ConfigMaps that are Lockstep's to write."""
        return tuple(it for it in self.labelled if it.written)

    @cached_property
    def mounted(self) -> tuple[tuple[Labelled, Workload, Use], ...]:
        """Each use of a labelled ConfigMap by a pod."""
        return tuple(
            (it, workload, use)
            for it in self.labelled
            for workload in self.workloads
            for use in workload.using(it.item)
        )

    def targets(self, release: Release) -> Iterator[Labelled]:
        """The ConfigMaps that name a Canary."""
        for it in self.labelled:
            if it.canary == release.item.name.name and together(it.item.name, release.item.name):
                yield it

    def variables(self, owner: Kustomization | HelmRelease) -> tuple[Labelled, ...]:
        """The ConfigMaps written by Lockstep that Flux takes variables or values from."""
        sources = {it.name for it in owner.sources}
        return tuple(
            it
            for it in self.written
            if it.item.name.name in sources and together(it.item.name, owner.item.name)
        )

    def appliers(self, it: Labelled) -> tuple[Kustomization, ...]:
        """The Kustomizations that apply a ConfigMap."""
        return tuple(ks for ks in self.kustomizations if ks.applies(it.item, self.snapshot))

    def _renders_a_share(self, ks: Kustomization) -> bool:
        return bool(self.variables(ks)) or any(
            not it.written or NUMBER in it.variables
            for it in self.labelled
            if ks.applies(it.item, self.snapshot)
        )


def world(snapshot: Snapshot) -> World:
    """The world of a snapshot."""
    malformed: list[tuple[Item, str]] = []

    def parsed(parse: Callable[[Item], Part], group: str, *kinds: str) -> tuple[Part, ...]:
        items = (it for kind in kinds for it in snapshot.of(kind, group))
        return tuple(_parsed(parse, items, malformed))

    accounts = rights.ACCOUNTS.union(*parsed(rights.accounts, "apps", "Deployment"))
    granted = parsed(
        lambda it: rights.grants(snapshot, it, accounts), rights.RBAC, *rights.BINDINGS
    )
    return World(
        snapshot=snapshot,
        releases=parsed(lambda it: canaries.release(it, snapshot.mesh), "flagger.app", "Canary"),
        labelled=tuple(it for it in parsed(_labelled, "", "ConfigMap") if it),
        workloads=parsed(_workload, "apps", *_WORKLOADS),
        kustomizations=parsed(flux.kustomization, flux.KUSTOMIZE, "Kustomization"),
        helm_releases=parsed(flux.helm_release, flux.HELM, "HelmRelease"),
        grants=tuple(chain.from_iterable(granted)),
        event_webhooks=frozenset().union(
            *parsed(canaries.event_webhooks, "apps", "Deployment"),
            *parsed(canaries.event_webhooks, flux.HELM, "HelmRelease"),
        ),
        malformed=tuple(dict.fromkeys(malformed)),
    )


def _parsed(
    parse: Callable[[Item], Part], items: Iterable[Item], malformed: list[tuple[Item, str]]
) -> Iterator[Part]:
    for item in items:
        try:
            yield parse(item)
        except FieldError as error:
            malformed.append((item, str(error)))


def _workload(item: Item) -> Workload:
    return Workload(item, uses(find(item.obj, "spec", "template", "spec")))


def _labelled(item: Item) -> Labelled | None:
    labels = strings(item.obj, "metadata", "labels")
    if LABEL not in labels:
        return None
    data = strings(item.obj, "data")
    return Labelled(
        item=item,
        canary=labels[LABEL],
        target=targets.parse(_stored(item, data)),
        annotations=strings(item.obj, "metadata", "annotations"),
        labels=labels,
        immutable=find(item.obj, "immutable") is True,
        variables={name: it for text in data.values() for name, it in defaults(text).items()},
    )


def _stored(item: Item, data: Mapping[str, str]) -> Object:
    """The ConfigMap as the API server has it; one of a file is without what is added there."""
    if item.folder is None:
        return item.obj
    metadata = find(item.obj, "metadata")
    known = metadata if isinstance(metadata, Mapping) else {}
    added = {"namespace": item.name.namespace or "?", "resourceVersion": "?"}
    rendered = {key: substituted(text, {NUMBER: "0"}) for key, text in data.items()}
    return {**item.obj, "metadata": {**known, **added}, "data": rendered}
