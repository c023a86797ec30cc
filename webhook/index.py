"""Which canary an object belongs to, as far as the watches have told. Only finds triggers."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from webhook import routers
from webhook.canary import Canary
from webhook.kinds import Kind, Name
from webhook.routers import RouterError

Part = tuple[Kind, Name]


def parts(canary: Canary) -> set[Part]:
    """The objects besides ConfigMaps that a canary's share depends on: workload and router."""
    found = {(canary.target_kind, canary.target)}
    try:
        source = routers.source(canary)
    except RouterError:
        return found
    return found | {(source.kind, source.name)} if source else found


@dataclass(slots=True)
class Index:
    """Canaries with their parts, and ConfigMaps with the canary that their label names."""

    _canaries: dict[Name, set[Part]] = field(default_factory=dict)
    _owners: dict[Name, Name] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put_canary(self, ref: Name, found: set[Part]) -> None:
        """Know a canary and what it depends on."""
        with self._lock:
            self._canaries[ref] = found

    def keep_canaries(self, refs: Iterable[Name]) -> None:
        """Forget every canary but these."""
        with self._lock:
            kept = set(refs)
            self._canaries = {ref: it for ref, it in self._canaries.items() if ref in kept}

    def drop_canary(self, ref: Name) -> None:
        """Forget a canary that is gone."""
        with self._lock:
            self._canaries.pop(ref, None)

    def put_owner(self, config_map: Name, owner: Name | None) -> set[Name]:
        """Note whose target a ConfigMap is now; returns everyone whom the change concerns."""
        with self._lock:
            before = self._owners.pop(config_map, None)
            if owner:
                self._owners[config_map] = owner
            return {ref for ref in (before, owner) if ref}

    def keep_owners(self, config_maps: Iterable[Name]) -> None:
        """Forget every ConfigMap but these."""
        with self._lock:
            kept = set(config_maps)
            self._owners = {name: it for name, it in self._owners.items() if name in kept}

    def targets(self, ref: Name) -> frozenset[Name]:
        """The ConfigMaps whose label names the canary."""
        with self._lock:
            return frozenset(name for name, owner in self._owners.items() if owner == ref)

    def everyone(self) -> set[Name]:
        """Every canary, and everyone whom a target names, there or not."""
        with self._lock:
            return {*self._canaries, *self._owners.values()}

    def dependents(self, part: Part) -> set[Name]:
        """The canaries whose share depends on the object."""
        with self._lock:
            return {ref for ref, found in self._canaries.items() if part in found}

    def kinds(self) -> set[Kind]:
        """The kinds of all objects that some canary depends on."""
        with self._lock:
            return {kind for found in self._canaries.values() for kind, _ in found}
