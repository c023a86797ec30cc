"""Kinds without a namespace, as a real API server serves them."""

from typing import Any

import pytest

from tests.contract.conftest import Api
from webhook.demo.store import Store, StoreError
from webhook.kinds import CONFIG_MAP, TRAFFIC_ROUTE, Name

WEB = Name("", "web")
LIST = "/apis/kuma.io/v1alpha1/trafficroutes"


def route(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": TRAFFIC_ROUTE.api_version,
        "kind": TRAFFIC_ROUTE.kind,
        "metadata": {"name": "web", **metadata},
        "spec": {"conf": {"split": []}},
    }


def test_it_is_created_read_and_deleted_without_a_namespace(ours: Api) -> None:
    assert ours.call("POST", LIST, json=route()).status_code == 201
    got = ours.call("GET", f"{LIST}/web").json()
    assert got["metadata"]["name"] == "web"
    assert "namespace" not in got["metadata"]
    assert [it["metadata"]["name"] for it in ours.call("GET", LIST).json()["items"]] == ["web"]
    patch = {"spec": {"conf": {"split": [{"weight": 1}]}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    patched = ours.call("PATCH", f"{LIST}/web", json=patch, headers=headers)
    assert patched.json()["spec"] == patch["spec"]
    assert ours.call("DELETE", f"{LIST}/web").status_code == 200
    assert ours.call("GET", f"{LIST}/web").status_code == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_it_is_not_served_in_a_namespace(ours: Api, store: Store, method: str) -> None:
    store.put(route())
    path = "/apis/kuma.io/v1alpha1/namespaces/test/trafficroutes"
    assert ours.call(method, path).status_code == 404
    assert ours.call(method, f"{path}/web").status_code == 404


def test_a_namespaced_kind_is_not_served_without_one(ours: Api, store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"namespace": "test", "name": "web"}})
    assert ours.call("GET", "/api/v1/configmaps/web").status_code == 404
    assert ours.call("GET", "/api/v1/configmaps").status_code == 200


def test_it_cannot_have_a_namespace(store: Store) -> None:
    with pytest.raises(StoreError, match="Forbidden: not allowed on this type"):
        store.put(route(namespace="test"))


def test_its_watch_tells_of_it(ours: Api, store: Store) -> None:
    with ours.call("GET", LIST, params={"watch": "true"}, stream=True) as answer:
        store.put(route())
        assert '"ADDED"' in next(answer.iter_lines(chunk_size=None, decode_unicode=True))
    assert store.get(TRAFFIC_ROUTE, WEB)["metadata"]
