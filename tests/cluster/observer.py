"""An observer of the store: every revision of what the law is about, in the store's own order.

It shares no code with the service, so that a mistake of the one is not a mistake of the other.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

import urllib3

from tests.cluster.client import ApiError, Client, Json
from tests.cluster.kinds import ROUTERS

_KINDS = [
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("flagger.app/v1beta1", "Canary"),
    ("networking.k8s.io/v1", "Ingress"),
    *((f"{group}/{versions[0]}", kind) for kind, (group, _, versions) in ROUTERS.items()),
]


@dataclass(frozen=True)
class Revision:
    """An object as it was stored; `at` is when the observer heard of it, time.monotonic()."""

    rv: int
    at: float
    verb: str
    object: Json

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.object["kind"])

    @property
    def namespace(self) -> str:
        """Its namespace; for the only cluster-scoped kind, the one scenario that has it."""
        return str(self.object["metadata"].get("namespace", "kuma"))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.object["metadata"]["name"])


@dataclass
class Scene:
    """What was heard of one namespace; `latest` is by kind and name."""

    revisions: list[Revision] = field(default_factory=list)
    latest: dict[tuple[str, str], Json] = field(default_factory=dict)
    heard: threading.Condition = field(default_factory=threading.Condition)

    def take(self, revision: Revision) -> None:
        """Add what was heard, and wake those who wait for it."""
        with self.heard:
            self.revisions.append(revision)
            key = revision.kind, revision.name
            if revision.verb == "DELETED":
                self.latest.pop(key, None)
            else:
                self.latest[key] = revision.object
            self.heard.notify_all()

    def ordered(self) -> list[Revision]:
        """What was stored, in the store's order."""
        return sorted(self.revisions, key=lambda it: it.rv)

    def wait(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait until something is heard that makes the condition hold; whether it did in time."""
        with self.heard:
            return bool(self.heard.wait_for(condition, seconds))


@dataclass
class Observer:
    """Watches from its start on; all objects share one etcd, so `rv` is a total order."""

    client: Client
    failure: str = ""
    _scenes: defaultdict[str, Scene] = field(default_factory=lambda: defaultdict(Scene))
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        for api_version, kind in _KINDS:
            path = self.client.path(api_version, kind)
            version = self.client.call("GET", path)["metadata"]["resourceVersion"]
            threading.Thread(target=self._follow, args=(path, version), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def of(self, namespace: str) -> Scene:
        """What is seen of a namespace."""
        return self._scenes[namespace]

    def up_to_date(self, namespace: str) -> bool:
        """Whether it has heard of everything that is stored for a namespace now."""
        latest = self._scenes[namespace].latest
        return all(
            rv(latest.get((kind, str(obj["metadata"]["name"])))) >= rv(obj)
            for api_version, kind in _KINDS
            for obj in self.client.list(api_version, kind, namespace)
            if Revision(0, 0, "", obj).namespace == namespace
        )

    def _follow(self, path: str, version: str) -> None:
        while not self._stopped.is_set():
            try:
                with self.client.watch(path, version) as events:
                    for event in events:
                        version = self._heard(event, version)
            except (urllib3.exceptions.HTTPError, OSError, ApiError):
                self._stopped.wait(0.05)  # the API server is away, by a test's doing

    def _heard(self, event: Json, version: str) -> str:
        if event["type"] == "ERROR":
            self.failure = f"the observer lost revisions: {event['object']}"
            raise ApiError(410, self.failure)
        version = str(event["object"]["metadata"]["resourceVersion"])
        if event["type"] != "BOOKMARK":
            revision = Revision(int(version), time.monotonic(), event["type"], event["object"])
            self._scenes[revision.namespace].take(revision)
        return version


def rv(obj: Json | None) -> int:
    """An object's revision; 0 where there is none."""
    return int(obj["metadata"]["resourceVersion"]) if obj else 0


def routed(router: Json) -> int:
    """The percentage of ordinary requests that a router object sends to the canary.

    Whatever the kind: the largest `weight` beside something that names the canary, in a rule that
    is not for those who carry a session cookie; on an Ingress it is an annotation. App Mesh has a
    router of the canary's own beside the one that splits: all that is sent to it, whatever is.
    """
    if router["kind"] == "VirtualRouter" and router["metadata"]["name"].endswith("-canary"):
        return 0
    if router["kind"] == "Ingress":
        notes = router["metadata"].get("annotations", {})
        if notes.get("zalando.org/skipper-predicate") == "False()":
            return 0  # this Ingress is switched off
        split = json.loads(notes.get("zalando.org/backend-weights", "{}"))
        weights = [int(weight) for name, weight in split.items() if name.endswith("-canary")]
        return max([*weights, int(notes.get("nginx.ingress.kubernetes.io/canary-weight", 0))])
    return max(_weights(router.get("spec", router)), default=0)


def _weights(node: object) -> Iterator[int]:
    if isinstance(node, list):
        for item in node:
            yield from _weights(item)
    elif isinstance(node, dict):
        conditions = json.dumps([node.get("match"), node.get("matches")]).lower()
        if "cookie" in conditions or "x-canary" in conditions:
            return
        if "weight" in node and "-canary" in json.dumps(node):
            yield int(node["weight"])
        for value in node.values():
            yield from _weights(value)
