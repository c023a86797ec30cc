"""Who makes Lockstep answer as it was recorded: an operator with brakes, and a target's owner.

What to do is read off the row that comes next, so any recording can be arranged for.
"""

import json
from dataclasses import dataclass, field

from webhook import kinds, targets
from webhook.demo.objects import Json, metadata
from webhook.demo.recording import HookRow
from webhook.demo.store import Store, StoreError
from webhook.gates import Hook
from webhook.kinds import Name

HOLD = "lockstep/hold"
ROLLBACK = "lockstep/rollback"

_REFUSED = 403
_WITHOUT_VALUE = "lots"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What must be so before a hook is called; what is None may stay as it is."""

    hold: bool | None = None
    rollback: bool | None = None
    broken: bool | None = None


def arrangement(row: HookRow) -> Arrangement:
    """What makes Lockstep answer the hook as it was answered when it was recorded."""
    refused = row.answer == _REFUSED
    match row.hook:
        case Hook.CONFIRM_ROLLOUT:
            return Arrangement(hold=refused, rollback=False, broken=False)
        case Hook.CONFIRM_TRAFFIC_INCREASE | Hook.CONFIRM_PROMOTION:
            return Arrangement(hold=refused, broken=False)
        case Hook.ROLLBACK:
            return Arrangement(rollback=not refused)
        case Hook.PRE_ROLLOUT:
            return Arrangement(broken=refused)
        case Hook.POST_ROLLOUT:
            return Arrangement(broken=False)
    return Arrangement()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a target holds its number: as a variable, or as a member of `config.json`."""

    name: Name
    canary: str
    as_json: bool = False

    def create(self, store: Store) -> None:
        """Make the ConfigMap, with the number 0."""
        labels = {targets.LABEL: self.canary}
        meta = {"namespace": self.name.namespace, "name": self.name.name, "labels": labels}
        store.create(kinds.CONFIG_MAP, {"metadata": meta, "data": self._data(0)})

    def fill(self, store: Store, *, broken: bool) -> None:
        """Let its owner write something that is no number, or the 0 that Git has."""
        data = self._data(_WITHOUT_VALUE if broken else 0)
        store.patch(kinds.CONFIG_MAP, self.name, {"data": data})

    def _data(self, number: int | str) -> Json:
        if not self.as_json:
            return {targets.NUMBER: str(number), targets.RELEASE: "none"}
        members: Json = {
            targets.NUMBER: number,
            targets.RELEASE: "none",
            "FEATURE_FLAGS": {"new-checkout": True},
        }
        return {"config.json": json.dumps(members, indent=2) + "\n"}


def layout(canary: Name, *, as_json: bool) -> Layout:
    """The target of a canary."""
    suffix = "settings" if as_json else "vars"
    return Layout(Name(canary.namespace, f"{canary.name}-{suffix}"), canary.name, as_json)


@dataclass(slots=True)
class Operator:
    """The people around one canary."""

    store: Store
    canary: Name
    target: Layout
    _brakes: dict[str, str] = field(default_factory=dict)
    _broken: bool = False

    def prepare(self, row: HookRow) -> None:
        """Arrange for the hook that Flagger is about to call."""
        wanted = arrangement(row)
        self._brake(HOLD, wanted.hold)
        self._brake(ROLLBACK, wanted.rollback)
        if wanted.broken not in (None, self._broken):
            self._broken = not self._broken
            self.target.fill(self.store, broken=self._broken)

    def dressed(self, canary: Json) -> Json:
        """The Canary with the brakes that are on it: Flagger's writes leave annotations alone."""
        meta = metadata(canary)
        annotations = meta.get("annotations")
        own = annotations if isinstance(annotations, dict) else {}
        return {**canary, "metadata": {**meta, "annotations": {**own, **self._brakes}}}

    def _brake(self, name: str, on: bool | None) -> None:
        if on is None or on == (name in self._brakes):
            return
        if on:
            self._brakes[name] = "true"
        else:
            del self._brakes[name]
        self._annotate(name, "true" if on else None)

    def _annotate(self, name: str, value: str | None) -> None:
        patch: Json = {"metadata": {"annotations": {name: value}}}
        try:
            self.store.patch(kinds.CANARY, self.canary, patch)
        except StoreError as error:
            if error.code != 404:  # noqa: PLR2004 - not there (yet): the next put carries it
                raise
