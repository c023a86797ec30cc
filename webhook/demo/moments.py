"""What was routed and what browsers were given, revision by revision of the store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from webhook import canary as canaries
from webhook import kinds, routers, targets
from webhook.canary import Canary, MeshDefaults
from webhook.demo.objects import Json, Resource, resource
from webhook.demo.store import Revision
from webhook.index import parts
from webhook.kinds import Kind, Name
from webhook.targets import Target

Key = tuple[Resource, Name]
_MESH = MeshDefaults()


@dataclass(frozen=True, slots=True)
class Moment:
    """What was so of one canary from a revision on; `at` is time.monotonic() in seconds.

    `routed` is the share that the law allows, a percentage 0-100: the router's, under a cap,
    and 0 without a Canary or a running workload; None where the router cannot be read.
    `client` is the share in the target, None while that does not parse. `running` is whether
    the canary has pods.
    """

    rv: int
    at: float
    phase: str = ""
    routed: int | None = 0
    client: int | None = 0
    running: bool = True


@dataclass(slots=True)
class World:
    """The objects at one revision; `targets` names the ConfigMap of each canary."""

    targets: Mapping[Name, Name]
    _objects: dict[Key, Json] = field(default_factory=dict)
    _canaries: dict[Name, Canary] = field(default_factory=dict)
    _keys: dict[Name, set[Key]] = field(default_factory=dict)

    def see(self, revision: Revision) -> Iterator[tuple[Name, Moment]]:
        """Go on to the next revision; yields every canary that it concerns."""
        key = _key(revision.kind, revision.name)
        if revision.object is None:
            self._objects.pop(key, None)
        else:
            self._objects[key] = revision.object
            if revision.kind == kinds.CANARY:
                self._know(canaries.parse(revision.object, _MESH))
        for ref, config_map in self.targets.items():
            if key == _key(kinds.CONFIG_MAP, config_map) or key in self._keys.get(ref, ()):
                yield ref, self._moment(ref, revision)

    def _know(self, canary: Canary) -> None:
        self._canaries[canary.ref] = canary
        found = {(kinds.CANARY, canary.ref), *parts(canary)}
        self._keys[canary.ref] = {_key(kind, name) for kind, name in found}

    def _moment(self, ref: Name, revision: Revision) -> Moment:
        canary = self._canaries.get(ref)
        running = canary is not None and self._running(canary)
        there = canary is not None and (_key(kinds.CANARY, ref) in self._objects)
        return Moment(
            rv=revision.rv,
            at=revision.at,
            phase=canary.phase.value if canary and there else "",
            routed=self._routed(canary) if canary and there and running else 0,
            client=self._client(self.targets[ref]),
            running=running,
        )

    def _running(self, canary: Canary) -> bool:
        workload = self._objects.get(_key(canary.target_kind, canary.target))
        return canaries.running(canary.target_kind, workload)

    def _routed(self, canary: Canary) -> int | None:
        if canary.deleting:
            return 0
        try:
            share = self._share(canary)
        except ValueError:
            return None
        return share if canary.brakes.cap is None else min(share, canary.brakes.cap)

    def _share(self, canary: Canary) -> int:
        source = routers.source(canary)
        router = self._objects.get(_key(source.kind, source.name)) if source else None
        return source.share(router, canary).share if source and router else 0

    def _client(self, config_map: Name) -> int | None:
        obj = self._objects.get(_key(kinds.CONFIG_MAP, config_map))
        found = targets.parse(obj) if obj else None
        return found.share if isinstance(found, Target) else None


def _key(kind: Kind, name: Name) -> Key:
    return resource(kind), name
