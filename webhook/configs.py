"""The documents that browsers may ask for, kept ready by two watches.

Only what a watch tells is ever served: no request of a browser's reaches the API server.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from webhook import kinds
from webhook.apiwatch import Change
from webhook.cluster import Cluster
from webhook.config_metrics import ConfigMetrics
from webhook.documents import Document, render
from webhook.fields import Object, required_text
from webhook.kinds import Name, Selection
from webhook.logs import fields, log
from webhook.reflector import Pace, Reflector
from webhook.targets import LABEL, SERVE, BrokenTarget

SILENCE = 15.0
"""Seconds without any contact after which nothing is served: the number may be too high by now.

More than a watch's window and the list after it, and more than a watch's read time-out, so that one
lost connection is survived; less and a healthy cluster would flap.
"""

PACE = Pace(list=6.0)

_JOIN_SECONDS = 2.0

# Selectors know no OR. These two never share a ConfigMap, so no order between them matters.
_SELECTORS = {"canary": LABEL, "serve": f"{SERVE}=true,!{LABEL}"}


@dataclass(slots=True)
class _Watched:
    """What one watch has told, and when it last heard anything; its thread alone writes here."""

    watch: str
    metrics: ConfigMetrics
    clock: Callable[[], float]
    documents: dict[Name, Document | BrokenTarget] = field(default_factory=dict)
    contact: float = -math.inf

    def heard(self, _resource: str) -> None:
        """Not enough: an API server opens watches and sends bookmarks without its etcd."""

    def restarted(self, _resource: str) -> None:
        self.metrics.restarted(self.watch)

    def listed(self, objects: tuple[Object, ...]) -> None:
        # One assignment, so that no request sees a half-filled list.
        self.documents = {_name(obj): self._rendered(obj) for obj in objects}
        self._contact()

    def changed(self, change: Change, obj: Object) -> None:
        if change is Change.DELETED:  # or its label was removed, which a watch shows the same way
            self.documents.pop(_name(obj), None)
        else:
            self.documents[_name(obj)] = self._rendered(obj)
        self._contact()

    def _contact(self) -> None:
        """Note that the store itself has said something."""
        self.contact = self.clock()
        self.metrics.heard(self.watch)

    def _rendered(self, obj: Object) -> Document | BrokenTarget:
        rendered = render(obj)
        if isinstance(rendered, BrokenTarget) and rendered != self.documents.get(rendered.name):
            name = rendered.name
            message = f"ConfigMap {name} is not served: {rendered.problem}"
            log.warning(message, extra=fields(namespace=name.namespace, configmap=name.name))
        return rendered


class Configs:
    """Follows every labelled ConfigMap; a request is a dict lookup."""

    def __init__(
        self,
        cluster: Cluster,
        metrics: ConfigMetrics,
        namespace: str = "",
        clock: Callable[[], float] = time.monotonic,
        pace: Pace = PACE,
    ) -> None:
        """Prepare the watches of one namespace, or of all; `clock` counts seconds."""
        self._clock = clock
        self._watched: list[_Watched] = []
        self._reflectors: list[Reflector] = []
        for watch, labels in _SELECTORS.items():
            watched = _Watched(watch, metrics, clock)
            selection = Selection(kinds.CONFIG_MAP, namespace, labels)
            self._watched.append(watched)
            self._reflectors.append(
                Reflector(
                    cluster,
                    watched,
                    selection,
                    watched.listed,
                    watched.changed,
                    pace=pace,
                    relists=True,
                )
            )

    def start(self) -> None:
        """Start following."""
        for reflector in self._reflectors:
            reflector.start()

    def stop(self) -> None:
        """End both watches."""
        for reflector in self._reflectors:
            reflector.stop()
        for reflector in self._reflectors:
            reflector.join(_JOIN_SECONDS)

    def find(self, name: Name) -> Document | BrokenTarget | None:
        """What to answer for a ConfigMap; None: there is none that is labelled."""
        found = (it.documents.get(name) for it in self._watched)
        return next((it for it in found if it is not None), None)

    def silent(self) -> str:
        """Which watch nothing has been heard of for too long, or ever; empty when all is well."""
        oldest = self._clock() - SILENCE
        silent = [_SELECTORS[it.watch] for it in self._watched if it.contact < oldest]
        if not silent:
            return ""
        return f"nothing heard for {SILENCE:.0f} s of ConfigMaps labelled {' or '.join(silent)}"


def _name(obj: Object) -> Name:
    return Name(required_text(obj, "metadata", "namespace"), required_text(obj, "metadata", "name"))
