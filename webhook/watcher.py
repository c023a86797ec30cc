"""What heals a hook that never came: every change in the cluster triggers a reconcile.

Watches only say which canary to look at; the reconcile itself reads everything live.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from webhook import canary as canaries
from webhook import kinds, targets
from webhook.apiwatch import Change
from webhook.cluster import Cluster
from webhook.deadline import Deadline
from webhook.errors import ClusterError
from webhook.fields import FieldError, Object, required_text, strings, text
from webhook.index import Index, parts
from webhook.kinds import Kind, Name, Selection
from webhook.logs import fields, log
from webhook.metrics import Metrics
from webhook.reflector import Pace, Reflector
from webhook.settings import Settings

_JOIN_SECONDS = 2.0
_CHECK_SECONDS = 2.0

_REQUIRED = (kinds.CANARY, kinds.CONFIG_MAP)

Trigger = Callable[[Name], None]


@dataclass(slots=True)
class Watcher:
    """Follows canaries and targets, and the kinds that these canaries depend on."""

    cluster: Cluster
    metrics: Metrics
    settings: Settings
    trigger: Trigger
    index: Index = field(default_factory=Index)
    pace: Pace = Pace()
    _reflectors: dict[Kind, Reflector] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _checks: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def start(self) -> None:
        """Start following."""
        self._follow(kinds.CONFIG_MAP, self._targets_listed, self._target_changed, targets.LABEL)
        self._follow(kinds.CANARY, self._canaries_listed, self._canary_changed)

    def stop(self) -> None:
        """End every watch."""
        with self._lock:
            reflectors = list(self._reflectors.values())
        for reflector in reflectors:
            reflector.stop()
        for reflector in reflectors:
            reflector.join(_JOIN_SECONDS)
        self._checks.shutdown(cancel_futures=True)

    def missing(self) -> str:
        """What has not been listed and then watched once; empty when everything has."""
        with self._lock:
            reflectors = list(self._reflectors.values())
        if not reflectors:
            return "not yet started"
        waiting = [str(it.selection) for it in reflectors if not it.synced.is_set()]
        return f"not yet followed: {', '.join(sorted(waiting))}" if waiting else ""

    def _follow(
        self,
        kind: Kind,
        listed: Callable[[tuple[Object, ...]], None],
        changed: Callable[[Change, Object], None],
        labels: str = "",
    ) -> None:
        namespace = self.settings.namespace if kind.namespaced else ""
        selection = Selection(kind, namespace, labels)
        reflector = Reflector(
            self.cluster,
            self.metrics,
            selection,
            listed,
            changed,
            pace=self.pace,
            optional=kind not in _REQUIRED,
        )
        with self._lock:
            self._reflectors[kind] = reflector
        reflector.start()

    def _canaries_listed(self, objects: tuple[Object, ...]) -> None:
        before = self.index.everyone()
        for obj in objects:
            self._know(obj)
        self.index.keep_canaries(_name(obj) for obj in objects)
        self._follow_parts()
        for ref in before | self.index.everyone():
            self.trigger(ref)

    def _canary_changed(self, change: Change, obj: Object) -> None:
        if change is Change.DELETED:
            self.index.drop_canary(_name(obj))
        else:
            self._know(obj)
        self._follow_parts()
        self.trigger(_name(obj))

    def _know(self, obj: Object) -> None:
        try:
            found = parts(canaries.parse(obj, self.settings.mesh))
        except FieldError:  # the reconcile says what is wrong with it
            found = set()
        self.index.put_canary(_name(obj), found)

    def _follow_parts(self) -> None:
        """Follow the kinds that canaries depend on, and no others: CRDs come and go with them."""
        wanted = self.index.kinds()
        with self._lock:
            following = set(self._reflectors).difference(_REQUIRED)
            unwanted = [self._reflectors.pop(kind) for kind in following - wanted]
        for reflector in unwanted:
            reflector.stop()
            self.metrics.unheard(reflector.selection.kind.resource)
        for kind in wanted - following:
            self._follow(kind, self._parts_listed, partial(self._part_changed, kind))

    def _parts_listed(self, _objects: tuple[Object, ...]) -> None:
        for ref in self.index.everyone():
            self.trigger(ref)

    def _part_changed(self, kind: Kind, _change: Change, obj: Object) -> None:
        for ref in self.index.dependents((kind, _name(obj))):
            self.trigger(ref)

    def _targets_listed(self, objects: tuple[Object, ...]) -> None:
        before = self.index.everyone()
        for obj in objects:
            self.index.put_owner(_name(obj), _owner(obj))
        self.index.keep_owners(_name(obj) for obj in objects)
        for ref in before | self.index.everyone():
            self.trigger(ref)

    def _target_changed(self, change: Change, obj: Object) -> None:
        gone = change is Change.DELETED
        for ref in self.index.put_owner(_name(obj), None if gone else _owner(obj)):
            self.trigger(ref)
        if gone:
            # The watch must not wait for it.
            self._checks.submit(self._warn_of_a_removed_label, _name(obj))

    def _warn_of_a_removed_label(self, name: Name) -> None:
        """A watch by label shows a removed label as a deletion; only a read tells them apart."""
        try:
            self.cluster.get(kinds.CONFIG_MAP, name, Deadline.after(_CHECK_SECONDS))
        except ClusterError:
            return
        text = (
            f"ConfigMap {name} has lost its label {targets.LABEL}: its number is frozen; "
            "set lockstep/cap to 0 on the Canary before the label is removed"
        )
        log.warning(text, extra=fields(namespace=name.namespace, configmap=name.name))


def _name(obj: Object) -> Name:
    """The object's name; without a namespace where its kind is cluster-scoped."""
    namespace = text(obj, "metadata", "namespace") or ""
    return Name(namespace, required_text(obj, "metadata", "name"))


def _owner(obj: Object) -> Name | None:
    canary = strings(obj, "metadata", "labels").get(targets.LABEL)
    return Name(_name(obj).namespace, canary) if canary else None
