"""What only our API server does: fail on demand, forget, and end without a trace."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store
from webhook.kinds import CANARY, CONFIG_MAP, HTTP_ROUTE, HTTP_ROUTE_BETA, Kind

if TYPE_CHECKING:
    from tests.contract.conftest import Api


@pytest.mark.parametrize(
    ("verb", "request_line", "shown"),
    [
        ("get", "GET /x", 'configmaps "x"'),
        ("patch", "PATCH /x", 'configmaps "x"'),
        ("delete", "DELETE /x", 'configmaps "x"'),
        ("list", "GET ", "configmaps"),
        ("watch", "GET ?watch=1", "configmaps"),
        ("create", "POST ", "configmaps"),
    ],
)
def test_a_denied_verb_is_forbidden_until_it_is_allowed(
    ours: Api, server: ApiServer, verb: str, request_line: str, shown: str
) -> None:
    method, _, rest = request_line.partition(" ")
    server.deny(verb, "configmaps")
    answer = ours.call(method, ours.path(CONFIG_MAP) + rest)
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
    assert answer.json()["message"] == (
        f'{shown} is forbidden: User "lockstep" cannot {verb} resource "configmaps" '
        'in API group "" in the namespace "test"'
    )
    server.allow(verb, "configmaps")
    with ours.call(method, ours.path(CONFIG_MAP) + rest, stream=True) as allowed:
        assert allowed.status_code != 403


def test_a_denied_list_of_all_namespaces_is_forbidden_at_the_cluster_scope(
    ours: Api, server: ApiServer
) -> None:
    server.deny("list", "canaries")
    message = ours.call("GET", "/apis/flagger.app/v1beta1/canaries").json()["message"]
    assert message.startswith("canaries.flagger.app is forbidden")
    assert message.endswith('in API group "flagger.app" at the cluster scope')


def test_a_paused_server_answers_once_it_is_resumed(ours: Api, server: ApiServer) -> None:
    server.pause()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ours.get, CONFIG_MAP, "x")
        time.sleep(0.1)
        assert not answer.done()
        server.resume()
        assert answer.result().status_code == 404


def test_a_request_whose_client_gave_up_on_a_paused_server_does_nothing(
    ours: Api, server: ApiServer, store: Store
) -> None:
    server.pause()
    with pytest.raises(requests.Timeout):
        ours.session.post(
            ours.url + ours.path(CONFIG_MAP), json={"metadata": {"name": "x"}}, timeout=0.05
        )
    time.sleep(0.1)
    server.resume()
    assert ours.get(CONFIG_MAP, "x").status_code == 404
    assert store.history() == []


def test_the_watches_of_a_paused_server_are_silent(ours: Api, server: ApiServer) -> None:
    with ours.watch(CONFIG_MAP) as events, ThreadPoolExecutor(1) as pool, ours.another() as other:
        other.made("x")
        assert next(events)["type"] == "ADDED"
        server.pause()
        writer = pool.submit(other.delete, CONFIG_MAP, "x")
        following = pool.submit(next, events)
        time.sleep(0.1)
        assert not writer.done()
        server.resume()
        assert writer.result().status_code == 200
        assert following.result()["type"] == "DELETED"


def test_a_delayed_verb_takes_that_long(ours: Api, server: ApiServer) -> None:
    server.delay(1, "get", "configmaps")
    begun = time.monotonic()
    ours.list(CONFIG_MAP)
    assert time.monotonic() - begun < 1
    ours.get(CONFIG_MAP, "x")
    assert time.monotonic() - begun >= 1


def test_cut_watches_break_off_and_other_connections_do_not(ours: Api, server: ApiServer) -> None:
    ours.made("x")
    with ours.watch(CONFIG_MAP) as events, ours.another() as other:
        assert next(events)["type"] == "ADDED"
        assert other.get(CONFIG_MAP, "x").status_code == 200
        server.cut_watches()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            next(events)
        assert other.get(CONFIG_MAP, "x").status_code == 200
    assert server.requests["get", "configmaps"] == 2


def test_every_request_is_counted(ours: Api, server: ApiServer) -> None:
    ours.made("x")
    server.deny("get", "configmaps")
    for _ in range(3):
        ours.get(CONFIG_MAP, "x")
    with ours.watch(CONFIG_MAP) as events:
        next(events)
    assert server.requests == {
        ("create", "configmaps"): 1,
        ("get", "configmaps"): 3,
        ("watch", "configmaps"): 1,
    }


def test_a_kind_can_be_taken_away_and_brought_back(ours: Api, server: ApiServer) -> None:
    with ours.watch(CANARY) as events:
        server.unregister(CANARY)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            next(events)
    answer = ours.list(CANARY)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    server.register(CANARY)
    assert ours.list(CANARY).json()["kind"] == "CanaryList"


def test_a_watch_from_before_the_window_is_told_to_list_again(ours: Api) -> None:
    version = ours.list(CONFIG_MAP).json()["metadata"]["resourceVersion"]
    for number in range(6):
        ours.made(f"x{number}")
    with ours.watch(CONFIG_MAP, resourceVersion=version) as events:
        (line,) = events
    status = line["object"]
    assert (line["type"], status["code"], status["reason"]) == ("ERROR", 410, "Expired")
    assert status["message"] == "too old resource version: 1 (2)"


@pytest.mark.parametrize(
    ("written", "read"), [(HTTP_ROUTE, HTTP_ROUTE_BETA), (HTTP_ROUTE_BETA, HTTP_ROUTE)]
)
def test_both_versions_of_a_route_show_the_same_object(
    ours: Api, written: Kind, read: Kind
) -> None:
    created = ours.create(written, {"metadata": {"name": "web"}, "spec": {"rules": []}}).json()
    expected = {**created, "apiVersion": read.api_version}
    assert created["apiVersion"] == written.api_version
    assert ours.get(read, "web").json() == expected
    assert ours.list(read).json()["items"] == [expected]
    with ours.watch(read) as events:
        assert next(events)["object"] == expected
    again = {"apiVersion": read.api_version, "spec": {"rules": []}}
    assert ours.patch(read, "web", again).json() == expected


@pytest.mark.parametrize(
    ("method", "name", "code"),
    [("PUT", "x", 405), ("DELETE", "", 405), ("POST", "x", 405)],
)
def test_what_lockstep_never_does_is_not_allowed(
    ours: Api, method: str, name: str, code: int
) -> None:
    answer = ours.call(method, ours.path(CONFIG_MAP, name), data=json.dumps({}))
    assert (answer.status_code, answer.json()["reason"]) == (code, "MethodNotAllowed")


@pytest.mark.parametrize(
    "content_type", ["application/json-patch+json", "application/strategic-merge-patch+json"]
)
def test_patches_that_lockstep_does_not_send_are_not_supported(
    ours: Api, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    answer = ours.call("PATCH", ours.path(CONFIG_MAP, "x"), data="{}", headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize("paused", [False, True])
def test_a_server_that_stops_leaves_no_thread_behind(paused: bool) -> None:
    before = set(threading.enumerate())
    with requests.Session() as idle, requests.Session() as watching:
        idle.trust_env = watching.trust_env = False
        with ApiServer(Store()) as server:
            idle.get(f"{server.url}/api/v1/configmaps")
            query = {"watch": "1"}
            answer = watching.get(f"{server.url}/api/v1/events", params=query, stream=True)
            if paused:
                server.pause()
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
        answer.close()
    assert set(threading.enumerate()) <= before


def test_a_watch_that_its_client_left_ends_by_itself() -> None:
    with ApiServer(Store()) as server, requests.Session() as session:
        session.trust_env = False
        before = set(threading.enumerate())
        session.get(f"{server.url}/api/v1/events?watch=1", stream=True).close()
        deadline = time.monotonic() + 2
        while set(threading.enumerate()) - before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert set(threading.enumerate()) <= before
