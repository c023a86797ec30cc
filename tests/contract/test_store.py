"""What the store does beside HTTP: replay, history, and keeping its objects to itself."""

import time
from itertools import islice
from typing import Any

import pytest

from webhook.demo.mergepatch import merged
from webhook.demo.store import Pace, Store, StoreError
from webhook.kinds import CANARY, CONFIG_MAP, HTTP_ROUTE, HTTP_ROUTE_BETA, Name

X = Name("test", "x")


def config_map(name: str = "x", **members: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "test", "name": name}, **members}


def canary(**metadata: Any) -> dict[str, Any]:
    named = {"namespace": "test", "name": "web", **metadata}
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": named, "spec": {}}


def meta(obj: Any) -> Any:
    return obj["metadata"]


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_do_what_the_rfc_says(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


def test_nobody_outside_can_change_what_is_stored() -> None:
    store = Store()
    given = config_map(data={"a": "1"})
    events = store.watch(CONFIG_MAP, pace=Pace(timeout=0))
    leaks: list[Any] = [
        given,
        store.create(CONFIG_MAP, given),
        store.get(CONFIG_MAP, X),
        store.list(CONFIG_MAP)[0][0],
        store.history()[0].object,
        next(events).object,
    ]
    for leak in leaks:
        leak["data"]["a"] = "2"
        meta(leak)["name"] = "y"
    stored = store.get(CONFIG_MAP, X)
    assert (stored["data"], meta(stored)["name"]) == ({"a": "1"}, "x")
    assert store.history()[0].object == stored


def test_a_replayed_object_is_stored_as_given_at_a_new_version() -> None:
    store = Store()
    given = canary(
        uid="u", resourceVersion="99", generation=4, deletionTimestamp="2026-01-01T00:00:00Z"
    )
    put = store.put(given)
    assert meta(put) == {
        **meta(given),
        "resourceVersion": "2",
        "creationTimestamp": meta(put)["creationTimestamp"],
    }
    assert meta(store.put(given))["resourceVersion"] == "3"


def test_a_replayed_object_keeps_what_it_leaves_out() -> None:
    store = Store()
    first = meta(store.put(canary()))
    second = meta(store.put(canary(labels={"a": "b"})))
    kept = ("uid", "creationTimestamp", "generation")
    assert [first[key] for key in kept] == [second[key] for key in kept]
    assert (second["labels"], second["generation"]) == ({"a": "b"}, 1)


@pytest.mark.parametrize(
    ("obj", "code"),
    [
        ({**canary(), "kind": "Secret"}, 400),
        (canary(name=""), 422),
        (canary(namespace=None), 422),
    ],
)
def test_what_belongs_nowhere_cannot_be_replayed(obj: dict[str, Any], code: int) -> None:
    with pytest.raises(StoreError) as refused:
        Store().put(obj)
    assert refused.value.code == code


def test_an_identity_given_at_creation_is_kept() -> None:
    created = meta(Store().create(CANARY, canary(uid="u", generation=7)))
    assert (created["uid"], created["generation"]) == ("u", 1)


def test_the_history_tells_every_change_in_order() -> None:
    store = Store(window=1)
    begun = time.monotonic()
    store.create(CONFIG_MAP, config_map())
    store.patch(CONFIG_MAP, X, {"data": {"a": "1"}})
    store.patch(CONFIG_MAP, X, {"data": {"a": "1"}})
    store.put(canary())
    store.delete(CONFIG_MAP, X)
    history = store.history()
    assert [(each.rv, each.verb, each.kind) for each in history] == [
        (2, "create", CONFIG_MAP),
        (3, "patch", CONFIG_MAP),
        (4, "put", CANARY),
        (5, "delete", CONFIG_MAP),
    ]
    assert begun <= history[0].at <= history[-1].at <= time.monotonic()
    assert [each.object is None for each in history] == [False, False, False, True]
    assert store.history(since_rv=4) == history[3:]


def test_refused_writes_leave_no_trace() -> None:
    store = Store()
    store.create(CONFIG_MAP, config_map())
    with pytest.raises(StoreError, match="already exists"):
        store.create(CONFIG_MAP, config_map())
    with pytest.raises(StoreError, match="has been modified"):
        store.patch(CONFIG_MAP, X, {"metadata": {"resourceVersion": "1"}})
    with pytest.raises(StoreError, match="not found"):
        store.delete(CONFIG_MAP, Name("test", "y"))
    assert len(store.history()) == 1


def test_a_watch_begins_where_it_was_called_for() -> None:
    store = Store()
    store.create(CONFIG_MAP, config_map("x"))
    events = store.watch(CONFIG_MAP, "test")
    store.create(CONFIG_MAP, config_map("y"))
    told = [(event.type, meta(event.object)["name"]) for event in islice(events, 2)]
    assert told == [("ADDED", "x"), ("ADDED", "y")]


def test_a_watch_can_begin_at_the_edge_of_the_window_but_not_before() -> None:
    store = Store(window=2)
    for name in ("x", "y", "z"):
        store.create(CONFIG_MAP, config_map(name))
    at_the_edge = store.watch(CONFIG_MAP, since_rv=2, pace=Pace(timeout=0))
    assert [meta(event.object)["name"] for event in at_the_edge] == ["y", "z"]
    with pytest.raises(StoreError, match=r"too old resource version: 1 \(2\)"):
        store.watch(CONFIG_MAP, since_rv=1)


def test_a_bookmark_counts_what_the_watch_does_not_show() -> None:
    store = Store()
    events = store.watch(CANARY, since_rv=1, pace=Pace(timeout=0, bookmark_every=60))
    store.create(CONFIG_MAP, config_map())
    (bookmark,) = events
    assert (bookmark.type, meta(bookmark.object)) == ("BOOKMARK", {"resourceVersion": "2"})


def test_a_watch_ends_when_it_is_told_to() -> None:
    over = False
    events = Store().watch(CONFIG_MAP, pace=Pace(ended=lambda: over))
    over = True
    assert list(events) == []


def test_versions_of_a_kind_share_their_objects() -> None:
    store = Store()
    store.create(HTTP_ROUTE_BETA, config_map())
    assert store.get(HTTP_ROUTE, X)["apiVersion"] == "gateway.networking.k8s.io/v1"
    with pytest.raises(StoreError, match="already exists"):
        store.create(HTTP_ROUTE, config_map())
