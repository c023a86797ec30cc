"""The objects of the in-memory API server: what a kube-apiserver and its etcd do, in a dict."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from webhook.demo import admission
from webhook.demo.errors import StoreError, already_exists, bad_request, not_found
from webhook.demo.journal import Journal, Revision
from webhook.demo.objects import (
    Json,
    Resource,
    copied,
    name_of,
    resource,
    shown_as,
    with_version,
)
from webhook.demo.selectors import EVERYTHING, Selector
from webhook.demo.watch import UNENDING, EventType, Pace, View, WatchEvent, follow
from webhook.kinds import (
    APISIX_ROUTE,
    APPMESH_ROUTER,
    APPMESH_SERVICE,
    CANARY,
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    EVENT,
    HTTP_PROXY,
    HTTP_ROUTE,
    HTTP_ROUTE_BETA,
    INGRESS,
    KNATIVE_SERVICE,
    ROUTE_TABLE,
    SERVICE,
    TRAEFIK_SERVICE,
    TRAFFIC_ROUTE,
    TRAFFIC_SPLIT_1,
    TRAFFIC_SPLIT_2,
    TRAFFIC_SPLIT_3,
    VIRTUAL_SERVICE,
    Kind,
    Name,
)

__all__ = ["EVERYTHING", "KINDS", "EventType", "Pace", "Revision", "Store", "StoreError"]

KINDS = (
    CONFIG_MAP,
    EVENT,
    SERVICE,
    DEPLOYMENT,
    DAEMON_SET,
    CANARY,
    INGRESS,
    HTTP_ROUTE,
    HTTP_ROUTE_BETA,
    VIRTUAL_SERVICE,
    TRAEFIK_SERVICE,
    HTTP_PROXY,
    APISIX_ROUTE,
    TRAFFIC_ROUTE,
    ROUTE_TABLE,
    TRAFFIC_SPLIT_1,
    TRAFFIC_SPLIT_2,
    TRAFFIC_SPLIT_3,
    APPMESH_ROUTER,
    APPMESH_SERVICE,
    KNATIVE_SERVICE,
)
"""Every kind that Lockstep talks about."""


Objects = list[Json]
Revisions = list[Revision]


class Store:
    """Thread-safe; objects are copied on the way in and out, so nobody can change what is kept.

    Versions of one kind show the same objects. There is one resourceVersion for all, a string
    in objects and an int in arguments; it rises by one with every change.
    """

    def __init__(self, window: int = 1000) -> None:
        """An empty store whose watches may begin up to `window` changes ago."""
        self._journal = Journal(window)
        self._objects: dict[Resource, dict[Name, Json]] = defaultdict(dict)

    def create(self, kind: Kind, obj: Json) -> Json:
        """Store a new object and return it; a uid and a creationTimestamp it has are kept.

        Raises:
            StoreError: 409 AlreadyExists, or 400 or 422 for what the real server refuses.
        """
        after = admission.created(kind, obj)
        with self._journal.changed:
            if name_of(after) in self._objects[resource(kind)]:
                raise already_exists(kind, name_of(after).name)
            return self._save("create", kind, None, after)

    def get(self, kind: Kind, name: Name) -> Json:
        """The object as this version of its kind shows it.

        Raises:
            StoreError: 404, it is not there.
        """
        with self._journal.changed:
            return copied(self._find(kind, name))

    def list(
        self, kind: Kind, namespace: str | None = None, selector: Selector = EVERYTHING
    ) -> tuple[Objects, int]:
        """The matching objects by name, and the resourceVersion a watch of them goes on from."""
        with self._journal.changed:
            found = self._matching(View(kind, namespace, selector))
            return [copied(shown_as(kind, obj)) for obj in found], self._journal.rv

    def patch(self, kind: Kind, name: Name, patch: Json) -> Json:
        """Apply a merge patch (RFC 7386); one that changes nothing leaves the resourceVersion.

        A resourceVersion in the patch is what the writer read: the write is refused if the
        object has changed since.

        Raises:
            StoreError: 404, 409 Conflict, or 400 or 422 for what the real server refuses.
        """
        with self._journal.changed:
            before = self._find(kind, name)
            after = admission.patched(kind, before, patch)
            return copied(before) if after == before else self._save("patch", kind, before, after)

    def delete(self, kind: Kind, name: Name) -> Json:
        """Remove the object, finalizers or not, and return it as it last was.

        Raises:
            StoreError: 404, it is not there.
        """
        with self._journal.changed:
            before = self._find(kind, name)
            del self._objects[resource(kind)][name]
            self._journal.record("delete", kind, name, before, None)
            return copied(with_version(before, self._journal.rv))

    def put(self, obj: Json) -> Json:
        """Replay: create or replace the object as given, but at a new resourceVersion.

        The apiVersion and kind tell where it belongs. Without a uid, creationTimestamp or
        generation it keeps those of the object it replaces.

        Raises:
            StoreError: 400, it is of no kind in KINDS; 422, its name or namespace is
                missing, or it has a namespace that its kind has not.
        """
        kind = _kind_of(obj)
        with self._journal.changed:
            before = self._objects[resource(kind)].get(name_of(obj))
            return self._save("put", kind, before, admission.replayed(kind, obj, before))

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        selector: Selector = EVERYTHING,
        since_rv: int | None = None,
        pace: Pace = UNENDING,
    ) -> Iterator[WatchEvent]:
        """The events after `since_rv`; without one, ADDED for what is there now, and then on.

        The starting point is fixed by this call, not by the first event that is asked for.

        Raises:
            StoreError: 410 Expired, `since_rv` is older than the window.
        """
        view = View(kind, namespace, selector)
        with self._journal.changed:
            if since_rv is not None:
                self._journal.check_kept(since_rv)
                return follow(self._journal, view, since_rv, pace)
            present = [view.added(obj) for obj in self._matching(view)]
            return chain(present, follow(self._journal, view, self._journal.rv, pace))

    def history(self, since_rv: int = 0) -> Revisions:
        """Every change after `since_rv`, in order, however long ago."""
        return [_copied(change.revision) for change in self._journal.after(since_rv)]

    def _find(self, kind: Kind, name: Name) -> Json:
        obj = self._objects[resource(kind)].get(name)
        if obj is None:
            raise not_found(kind, name.name)
        return shown_as(kind, obj)

    def _matching(self, view: View) -> Objects:
        stored = sorted(self._objects[resource(view.kind)].items())
        return [obj for name, obj in stored if view.shows(name, obj)]

    def _save(self, verb: str, kind: Kind, before: Json | None, after: Json) -> Json:
        name = name_of(after)
        after = with_version(after, self._journal.rv + 1)
        self._objects[resource(kind)][name] = after
        self._journal.record(verb, kind, name, before, after)
        return copied(after)


def _kind_of(obj: Json) -> Kind:
    for kind in KINDS:
        if (kind.api_version, kind.kind) == (obj.get("apiVersion"), obj.get("kind")):
            return kind
    raise bad_request(f"no kind {obj.get('kind')} in version {obj.get('apiVersion')}")


def _copied(revision: Revision) -> Revision:
    return replace(revision, object=copied(revision.object))
