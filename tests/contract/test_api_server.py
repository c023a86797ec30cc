"""What Lockstep relies on from an API server; ours and the real one pass the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from webhook.kinds import CONFIG_MAP, DEPLOYMENT, EVENT, Kind

if TYPE_CHECKING:
    from tests.contract.conftest import Api

MODIFIED = "the object has been modified; please apply your changes to the latest version"


def deployment(name: str = "web") -> dict[str, Any]:
    labels = {"app": name}
    containers = [{"name": "web", "image": "web:1"}]
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def event(name: str, namespace: str, about: str = "web") -> dict[str, Any]:
    involved = {"kind": "Deployment", "name": about, "namespace": namespace}
    return {"metadata": {"name": name}, "involvedObject": involved, "reason": "Synced"}


def rv(obj: dict[str, Any]) -> str:
    return str(obj["metadata"]["resourceVersion"])


def told(events: Iterator[dict[str, Any]], count: int) -> list[tuple[str, str, str]]:
    """Type, name and resourceVersion of the next events."""
    return [
        (line["type"], line["object"]["metadata"]["name"], rv(line["object"]))
        for line in islice(events, count)
    ]


def test_a_created_object_gets_an_identity_and_is_there(api: Api) -> None:
    created = api.made("x", data={"a": "1"})
    meta = created["metadata"]
    assert (created["apiVersion"], created["kind"]) == ("v1", "ConfigMap")
    assert (meta["name"], meta["namespace"]) == ("x", api.namespace)
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert "generation" not in meta
    assert api.get(CONFIG_MAP, "x").json() == created


def test_every_write_has_a_higher_version_than_the_one_before(api: Api) -> None:
    versions = [int(rv(api.made(name))) for name in ("x", "y", "z")]
    versions.append(int(rv(api.patch(CONFIG_MAP, "x", {"data": {"a": "1"}}).json())))
    assert versions == sorted(set(versions))


def test_an_object_cannot_be_created_twice(api: Api) -> None:
    api.made("x")
    answer = api.create(CONFIG_MAP, {"metadata": {"name": "x"}})
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")
    assert answer.json()["message"] == 'configmaps "x" already exists'
    assert answer.json()["kind"] == "Status"


@pytest.mark.parametrize(
    ("kind", "obj", "code", "reason"),
    [
        (CONFIG_MAP, {"metadata": {"name": "x", "namespace": "other"}}, 400, "BadRequest"),
        (CONFIG_MAP, {"metadata": {"name": "x"}, "data": {"a": 1}}, 400, "BadRequest"),
        (CONFIG_MAP, {"kind": "Secret", "metadata": {"name": "x"}}, 400, "BadRequest"),
        (CONFIG_MAP, {"metadata": {}}, 422, "Invalid"),
        (EVENT, event("x", "other"), 422, "Invalid"),
    ],
)
def test_what_makes_no_sense_is_not_created(
    api: Api, kind: Kind, obj: dict[str, Any], code: int, reason: str
) -> None:
    answer = api.create(kind, {"apiVersion": "v1", "kind": kind.kind, **obj})
    assert (answer.status_code, answer.json()["reason"]) == (code, reason)
    assert answer.json()["status"] == "Failure"
    assert answer.json()["code"] == code


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (CONFIG_MAP, 'configmaps "gone" not found'),
        (DEPLOYMENT, 'deployments.apps "gone" not found'),
    ],
)
def test_what_is_not_there_is_not_found(api: Api, method: str, kind: Kind, message: str) -> None:
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    data = "{}" if method == "PATCH" else None
    answer = api.call(method, api.path(kind, "gone"), data=data, headers=headers)
    status = answer.json()
    assert (answer.status_code, status["reason"]) == (404, "NotFound")
    assert status["message"] == message
    assert status["details"]["name"] == "gone"


def test_a_kind_that_is_not_served_is_not_found_as_text(api: Api) -> None:
    answer = api.call("GET", f"/apis/example.com/v1/namespaces/{api.namespace}/things")
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


def test_a_deleted_object_is_gone(api: Api) -> None:
    created = api.made("x")
    answer = api.delete(CONFIG_MAP, "x")
    assert (answer.status_code, answer.json()["status"]) == (200, "Success")
    assert answer.json()["details"]["uid"] == created["metadata"]["uid"]
    assert api.get(CONFIG_MAP, "x").status_code == 404
    assert api.made("x")["metadata"]["uid"] != created["metadata"]["uid"]


def test_a_list_has_a_version_and_its_items_have_no_kind(api: Api) -> None:
    api.made("b")
    last = api.made("a")
    listed = api.list(CONFIG_MAP).json()
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(rv(listed)) >= int(rv(last))
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b"]
    assert not any("kind" in item or "apiVersion" in item for item in listed["items"])


def test_a_list_may_span_namespaces(api: Api) -> None:
    api.made("x", labels={"only": api.namespace})
    query = {"labelSelector": f"only={api.namespace}"}
    listed = api.call("GET", "/api/v1/configmaps", params=query).json()
    assert [item["metadata"]["name"] for item in listed["items"]] == ["x"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=web", ["both", "web"]),
        ("app==web", ["both", "web"]),
        ("app!=web", ["api", "none"]),
        ("lockstep/canary", ["both"]),
        ("!lockstep/canary", ["api", "none", "web"]),
        ("app=web,lockstep/canary", ["both"]),
        ("app=web,!lockstep/canary", ["web"]),
        ("app=", []),
        ("", ["api", "both", "none", "web"]),
    ],
)
def test_labels_select(api: Api, selector: str, names: list[str]) -> None:
    api.made("web", labels={"app": "web"})
    api.made("api", labels={"app": "api"})
    api.made("both", labels={"app": "web", "lockstep/canary": "test"})
    api.made("none")
    items = api.list(CONFIG_MAP, labelSelector=selector).json()["items"]
    assert [item["metadata"]["name"] for item in items] == names


@pytest.mark.parametrize(
    ("kind", "selector", "names"),
    [
        (CONFIG_MAP, "metadata.name=x", ["x"]),
        (CONFIG_MAP, "metadata.name!=x", ["y"]),
        (EVENT, "involvedObject.name=web", ["x"]),
        (EVENT, "involvedObject.kind=Deployment,reason=Synced", ["x", "y"]),
    ],
)
def test_fields_select(api: Api, kind: Kind, selector: str, names: list[str]) -> None:
    api.made("x")
    api.made("y")
    for name, about in (("x", "web"), ("y", "api")):
        assert api.create(EVENT, event(name, api.namespace, about)).status_code == 201
    items = api.list(kind, fieldSelector=selector).json()["items"]
    assert [item["metadata"]["name"] for item in items] == names


@pytest.mark.parametrize(
    "query",
    [{"labelSelector": "a=b=c"}, {"labelSelector": "!a=b"}, {"fieldSelector": "data.a=1"}],
)
def test_a_selector_that_is_not_understood_is_refused(api: Api, query: dict[str, str]) -> None:
    answer = api.list(CONFIG_MAP, **query)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("patch", "data"),
    [
        ({"data": {"a": "2"}}, {"a": "2", "b": "1"}),
        ({"data": {"c": "3"}}, {"a": "1", "b": "1", "c": "3"}),
        ({"data": {"b": None}}, {"a": "1"}),
        ({"data": {"gone": None}}, {"a": "1", "b": "1"}),
        ({"data": None}, None),
        ({"metadata": {"labels": {"x": "y"}}}, {"a": "1", "b": "1"}),
        ({}, {"a": "1", "b": "1"}),
    ],
)
def test_a_merge_patch_changes_what_it_names(
    api: Api, patch: dict[str, Any], data: dict[str, str] | None
) -> None:
    api.made("x", data={"a": "1", "b": "1"})
    answer = api.patch(CONFIG_MAP, "x", patch)
    assert answer.status_code == 200
    assert answer.json().get("data") == data
    assert api.get(CONFIG_MAP, "x").json() == answer.json()


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"data": {"a": "1"}},
        {"data": {"gone": None}},
        {"metadata": {"creationTimestamp": "2001-02-03T04:05:06Z"}},
    ],
)
def test_a_patch_that_changes_nothing_leaves_the_version(api: Api, patch: dict[str, Any]) -> None:
    created = api.made("x", data={"a": "1"})
    assert api.patch(CONFIG_MAP, "x", patch).json() == created


def test_a_patch_of_an_older_version_conflicts_and_changes_nothing(api: Api) -> None:
    old = rv(api.made("x"))
    now = api.patch(CONFIG_MAP, "x", {"data": {"a": "1"}}).json()
    stale = {"metadata": {"resourceVersion": old}, "data": {"a": "2"}}
    answer = api.patch(CONFIG_MAP, "x", stale)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    assert MODIFIED in answer.json()["message"]
    assert answer.json()["message"].startswith('Operation cannot be fulfilled on configmaps "x"')
    assert api.get(CONFIG_MAP, "x").json() == now


def test_a_patch_of_the_current_version_is_taken(api: Api) -> None:
    patch = {"metadata": {"resourceVersion": rv(api.made("x"))}, "data": {"a": "1"}}
    answer = api.patch(CONFIG_MAP, "x", patch)
    assert (answer.status_code, answer.json()["data"]) == (200, {"a": "1"})


def test_of_concurrent_patches_of_one_version_exactly_one_wins(api: Api) -> None:
    version = rv(api.made("x"))

    def write(number: int) -> int:
        patch = {"metadata": {"resourceVersion": version}, "data": {"a": str(number)}}
        with api.another() as other:
            return other.patch(CONFIG_MAP, "x", patch).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(write, range(16)))
    assert codes == [200] + [409] * 15


@pytest.mark.parametrize(
    ("patch", "generation"),
    [
        ({"spec": {"replicas": 2}}, 2),
        ({"spec": {"replicas": 1}}, 1),
        ({"metadata": {"labels": {"a": "b"}}}, 1),
        ({"metadata": {"annotations": {"a": "b"}}}, 2),
        ({"metadata": {"generation": 7}}, 1),
    ],
)
def test_the_generation_of_a_deployment_counts_its_specs(
    api: Api, patch: dict[str, Any], generation: int
) -> None:
    created = api.create(DEPLOYMENT, deployment()).json()
    assert created["metadata"]["generation"] == 1
    patched = api.patch(DEPLOYMENT, "web", patch).json()
    assert patched["metadata"]["generation"] == generation


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"data": {"a": "2"}}, 422),
        ({"data": None}, 422),
        ({"immutable": False}, 422),
        ({"immutable": None}, 422),
        ({"data": {"a": "1"}}, 200),
        ({"metadata": {"labels": {"a": "b"}}}, 200),
    ],
)
def test_an_immutable_config_map_keeps_its_data(api: Api, patch: dict[str, Any], code: int) -> None:
    api.made("x", data={"a": "1"}, immutable=True)
    answer = api.patch(CONFIG_MAP, "x", patch)
    assert answer.status_code == code
    assert answer.json().get("reason") == ("Invalid" if code == 422 else None)


@pytest.mark.parametrize(
    ("patch", "code", "reason"),
    [
        ({"metadata": {"name": "y"}}, 400, "BadRequest"),
        ({"metadata": {"namespace": "other"}}, 400, "BadRequest"),
        ({"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}}, 422, "Invalid"),
        ({"data": {"a": 1}}, 422, "Invalid"),
        ({"metadata": {"annotations": {"a": 1}}}, 422, "Invalid"),
    ],
)
def test_a_patch_cannot_change_identity_or_types(
    api: Api, patch: dict[str, Any], code: int, reason: str
) -> None:
    created = api.made("x")
    answer = api.patch(CONFIG_MAP, "x", patch)
    assert (answer.status_code, answer.json()["reason"]) == (code, reason)
    assert api.get(CONFIG_MAP, "x").json() == created


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_patch_of_another_type_is_not_supported(api: Api, content_type: str) -> None:
    api.made("x")
    headers = {"Content-Type": content_type}
    answer = api.call("PATCH", api.path(CONFIG_MAP, "x"), data="{}", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (415, "UnsupportedMediaType")


def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    api.made("x")
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = api.call("PATCH", api.path(CONFIG_MAP, "x"), data="{", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


def test_a_watch_tells_what_happens_after_its_version(api: Api) -> None:
    version = rv(api.made("x"))
    with api.watch(CONFIG_MAP, resourceVersion=version) as events:
        added = rv(api.made("y"))
        modified = rv(api.patch(CONFIG_MAP, "x", {"data": {"a": "1"}}).json())
        api.delete(CONFIG_MAP, "x")
        (*first, (deleted, name, gone)) = told(events, 3)
    assert first == [("ADDED", "y", added), ("MODIFIED", "x", modified)]
    assert (deleted, name) == ("DELETED", "x")
    assert int(gone) > int(modified)


def test_a_watch_tells_what_happened_before_it_was_opened(api: Api) -> None:
    version = rv(api.made("x"))
    added = rv(api.made("y"))
    with api.watch(CONFIG_MAP, resourceVersion=version) as events:
        assert told(events, 1) == [("ADDED", "y", added)]


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
def test_a_watch_without_a_version_begins_with_what_is_there(
    api: Api, query: dict[str, str]
) -> None:
    created = {("ADDED", name, rv(api.made(name))) for name in ("x", "y")}
    api.list(CONFIG_MAP)  # the real server's "0" means its cache, which this brings up to date
    with api.watch(CONFIG_MAP, **query) as events:
        assert set(told(events, 2)) == created
        modified = rv(api.patch(CONFIG_MAP, "x", {"data": {"a": "1"}}).json())
        assert told(events, 1) == [("MODIFIED", "x", modified)]


def test_to_a_watch_with_a_selector_objects_come_and_go_with_their_labels(api: Api) -> None:
    version = rv(api.made("x"))
    labels = [{"app": "web"}, {"app": "web", "a": "b"}, {"app": "api"}, {"app": "web"}]
    with api.watch(CONFIG_MAP, labelSelector="app=web", resourceVersion=version) as events:
        versions = [
            rv(api.patch(CONFIG_MAP, "x", {"metadata": {"labels": each}}).json()) for each in labels
        ]
        lines = told(events, 4)
    types = ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    assert lines == [(type_, "x", version) for type_, version in zip(types, versions, strict=True)]


def test_to_a_watch_an_object_that_stops_matching_leaves_as_it_last_matched(api: Api) -> None:
    version = rv(api.made("x", labels={"app": "web"}))
    with api.watch(CONFIG_MAP, labelSelector="app=web", resourceVersion=version) as events:
        api.patch(CONFIG_MAP, "x", {"metadata": {"labels": {"app": None}}})
        assert next(events)["object"]["metadata"]["labels"] == {"app": "web"}


def test_a_watch_of_one_name_tells_of_no_other(api: Api) -> None:
    version = rv(api.made("x"))
    query = {"fieldSelector": "metadata.name=y", "resourceVersion": version}
    with api.watch(CONFIG_MAP, **query) as events:
        api.patch(CONFIG_MAP, "x", {"data": {"a": "1"}})
        added = rv(api.made("y"))
        assert told(events, 1) == [("ADDED", "y", added)]


def test_a_watch_sends_bookmarks_to_those_who_ask(api: Api) -> None:
    version = rv(api.made("x"))
    query = {"allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": 4}
    with api.watch(CONFIG_MAP, fieldSelector="metadata.name=x", **query) as events:
        unseen = rv(api.made("y"))
        line = next(events)
    assert line["type"] == "BOOKMARK"
    assert (line["object"]["apiVersion"], line["object"]["kind"]) == ("v1", "ConfigMap")
    assert int(rv(line["object"])) >= int(unseen)


def test_a_watch_ends_when_its_time_is_up_and_sends_no_bookmark_unasked(api: Api) -> None:
    version = rv(api.made("x"))
    with api.watch(CONFIG_MAP, resourceVersion=version, timeoutSeconds=1) as events:
        assert list(events) == []
