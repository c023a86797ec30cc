"""What browsers get: the Flask application over real watches of the in-memory API server."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient
from kubernetes.client import Configuration
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from tests import world
from tests.service.conftest import Lines
from tests.waiting import wait_for
from webhook import __version__, kinds
from webhook.app import read_app
from webhook.cluster import Cluster
from webhook.config_metrics import ConfigMetrics
from webhook.config_server import config_app
from webhook.configs import PACE, SILENCE, Configs
from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store
from webhook.kinds import Name
from webhook.reflector import Pace
from webhook.targets import LABEL, SERVE

Json = dict[str, Any]
VARS = "/config/test/canary-vars.json"
SETTINGS = "/config/test/canary-settings.json"


@dataclass
class Clock:
    """Seconds that pass only when told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Endpoint:
    """`lockstep serve-config` on a cluster, without gunicorn."""

    api: ApiServer
    store: Store
    lines: Lines
    namespace: str = ""
    pace: Pace = PACE
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        configuration = Configuration()
        configuration.host = self.api.url
        self.metrics = ConfigMetrics()
        self.cluster = Cluster(configuration, lambda _verb: None)
        self.configs = Configs(self.cluster, self.metrics, self.namespace, self.clock, self.pace)
        self.client: FlaskClient = config_app(self.configs, self.metrics).test_client()
        self.probes: FlaskClient = read_app(self.metrics, self.configs.silent).test_client()

    def start(self) -> None:
        self.configs.start()
        wait_for(lambda: not self.configs.silent())

    def get(self, path: str = VARS, tag: str = "") -> TestResponse:
        return self.client.get(path, headers={"If-None-Match": tag} if tag else {})

    def code(self, path: str = VARS) -> int:
        return self.get(path).status_code

    def tag(self, path: str = VARS) -> str:
        return self.get(path).headers["ETag"]

    def patch(self, patch: Json, name: Name = world.VARS) -> None:
        self.store.patch(kinds.CONFIG_MAP, name, patch)

    def hush(self) -> None:
        """Let the API server fall silent, and what it has said before be heard."""
        self.api.pause()
        time.sleep(0.05)

    def elsewhere(self) -> None:
        """Change something that is not served: the store goes on, and bookmarks say so."""
        self.store.put(config_map("elsewhere", {}, NUMBER))

    def relabel(self, labels: Mapping[str, str | None], name: Name = world.VARS) -> None:
        self.patch({"metadata": {"labels": labels}}, name)

    def broken(self) -> list[Json]:
        return [it for it in self.lines.seen if "is not served" in it["message"]]


MakeEndpoint = Callable[..., Endpoint]


@pytest.fixture
def make_endpoint(lines: Lines) -> Iterator[MakeEndpoint]:
    """A function to an endpoint whose watches have not begun."""
    store = Store()
    for obj in (world.variables(25), world.settings(50)):
        store.put(obj)
    with ExitStack() as stack:
        api = stack.enter_context(ApiServer(store))

        def make(namespace: str = "", pace: Pace = PACE) -> Endpoint:
            endpoint = Endpoint(api, store, lines, namespace, pace)
            stack.callback(endpoint.cluster.close)
            stack.callback(endpoint.configs.stop)
            return endpoint

        yield make


@pytest.fixture
def endpoint(make_endpoint: MakeEndpoint) -> Endpoint:
    endpoint = make_endpoint()
    endpoint.start()
    return endpoint


def config_map(name: str, labels: dict[str, str], data: dict[str, str], **metadata: Any) -> Json:
    meta = {"name": name, "namespace": "test", "labels": labels, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


CANARY, BY_HAND = {LABEL: "web"}, {SERVE: "true"}
ODD = '{ "b":\t[1,  2],\r\n"CANARY_PERCENTAGE" : 7,"ü": "\\u00fc 🐤" }\n\n'
NUMBER = {"CANARY_PERCENTAGE": "7"}
SERVED: dict[str, tuple[Json, str]] = {
    "a JSON text, byte for byte": (config_map("x", CANARY, {"config.json": ODD}), ODD),
    "by hand": (config_map("x", BY_HAND, {"config.json": ODD}), ODD),
    "both labels": (config_map("x", CANARY | BY_HAND, {"config.json": ODD}), ODD),
    "the key that the annotation names": (
        config_map(
            "x", CANARY, {"config.json": "?", "a.json": ODD}, annotations={"lockstep/key": "a.json"}
        ),
        ODD,
    ),
    "a bare number": (config_map("x", CANARY, NUMBER), '{"CANARY_PERCENTAGE": 7}'),
    "a bare number by hand": (config_map("x", BY_HAND, NUMBER), '{"CANARY_PERCENTAGE": 7}'),
    "a bare number with white space": (
        config_map("x", CANARY, {"CANARY_PERCENTAGE": " 7\n"}),
        '{"CANARY_PERCENTAGE": 7}',
    ),
    "a bare number with its release": (
        config_map("x", CANARY, NUMBER | {"CANARY_RELEASE": 'a"1', "OTHER": "secret"}),
        '{"CANARY_PERCENTAGE": 7, "CANARY_RELEASE": "a\\"1"}',
    ),
    "under another key": (
        config_map("x", CANARY, {"share": "7"}, annotations={"lockstep/key": "share"}),
        '{"CANARY_PERCENTAGE": 7}',
    ),
}


@pytest.mark.parametrize(("obj", "body"), SERVED.values(), ids=SERVED)
def test_a_labelled_configmap_is_served(endpoint: Endpoint, obj: Json, body: str) -> None:
    endpoint.store.put(obj)
    wait_for(lambda: endpoint.code("/config/test/x.json") == 200)
    response = endpoint.get("/config/test/x.json")
    assert response.data == body.encode()
    assert dict(response.headers) == {
        "Content-Type": "application/json",
        "Content-Length": str(len(body.encode())),
        "Cache-Control": "no-cache",
        "ETag": f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"',
    }


FOREIGN: dict[str, Json] = {
    "no label": config_map("x", {}, NUMBER),
    "not to be served": config_map("x", {SERVE: "false"}, NUMBER),
    "another label": config_map("x", {"app": "web"}, NUMBER),
}


@pytest.mark.parametrize("obj", FOREIGN.values(), ids=FOREIGN)
def test_any_other_configmap_is_not(endpoint: Endpoint, obj: Json) -> None:
    endpoint.store.put(obj)
    endpoint.store.put(config_map("y", CANARY | BY_HAND, NUMBER))
    endpoint.store.put(config_map("z", BY_HAND, NUMBER))
    for later in "yz":  # by then the watches would have told of x
        wait_for(lambda: endpoint.code(f"/config/test/{later}.json") == 200)  # noqa: B023
    assert endpoint.code("/config/test/x.json") == 404


PATHS = [
    "/config/test/nobody.json",
    "/config/nowhere/canary-vars.json",
    "/config/test/canary-vars",
    "/config/test/canary-vars.json/",
    "/config//test/canary-vars.json",
    "/config/test/../test/canary-vars.json",
    "/config/test/%2e%2e/canary-vars.json",
    "/config/test/CANARY-VARS.json",
    "/config/",
    "/",
    "/metrics",
    "/healthz",
]


@pytest.mark.parametrize("path", PATHS)
def test_whatever_is_not_there_looks_the_same(endpoint: Endpoint, path: str) -> None:
    response = endpoint.get(path)
    assert response.status_code == 404
    assert response.json == {"reason": "UnknownPath", "message": "no config is served here"}
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


def test_a_name_may_hold_dots(endpoint: Endpoint) -> None:
    endpoint.store.put(config_map("a.json.b", CANARY, NUMBER))
    wait_for(lambda: endpoint.code("/config/test/a.json.b.json") == 200)


def test_a_removed_label_ends_it(endpoint: Endpoint) -> None:
    endpoint.relabel({LABEL: None})
    wait_for(lambda: endpoint.code() == 404)
    assert endpoint.code(SETTINGS) == 200


def test_a_label_that_comes_later_begins_it(endpoint: Endpoint) -> None:
    endpoint.relabel({LABEL: None})
    wait_for(lambda: endpoint.code() == 404)
    endpoint.relabel(BY_HAND)
    wait_for(lambda: endpoint.code() == 200)
    endpoint.relabel({SERVE: "false"})
    wait_for(lambda: endpoint.code() == 404)


def test_one_label_of_two_is_enough(endpoint: Endpoint) -> None:
    endpoint.relabel(BY_HAND)
    endpoint.relabel({LABEL: None})
    endpoint.patch({"data": {"CANARY_PERCENTAGE": "1"}})
    wait_for(lambda: endpoint.get().json == {"CANARY_PERCENTAGE": 1})
    endpoint.relabel({LABEL: "web"})
    endpoint.patch({"data": {"CANARY_PERCENTAGE": "2"}})
    wait_for(lambda: endpoint.get().json == {"CANARY_PERCENTAGE": 2})


def test_a_deleted_one_ends_it(endpoint: Endpoint) -> None:
    endpoint.store.delete(kinds.CONFIG_MAP, world.VARS)
    wait_for(lambda: endpoint.code() == 404)


def test_one_that_was_deleted_while_nobody_watched_is_gone(endpoint: Endpoint) -> None:
    endpoint.api.deny("list", "configmaps")
    endpoint.api.deny("watch", "configmaps")
    endpoint.api.cut_watches()
    endpoint.store.delete(kinds.CONFIG_MAP, world.VARS)
    endpoint.api.allow("list", "configmaps")
    endpoint.api.allow("watch", "configmaps")
    wait_for(lambda: endpoint.code() == 404)
    assert endpoint.code(SETTINGS) == 200


def test_an_update_has_another_tag_and_the_same_text_the_same_one(endpoint: Endpoint) -> None:
    tags = [endpoint.tag()]
    for share in ("50", "100", "25"):
        endpoint.patch({"data": {"CANARY_PERCENTAGE": share}})
        wait_for(lambda: endpoint.get().json == {"CANARY_PERCENTAGE": int(share)})  # noqa: B023
        tags.append(endpoint.tag())
    assert all(one != other for one, other in pairwise(tags))
    assert tags[0] == tags[-1]


def test_a_change_beside_the_document_leaves_its_tag(endpoint: Endpoint) -> None:
    tag = endpoint.tag()
    endpoint.patch({"metadata": {"annotations": {"x": "y"}}, "data": {"OTHER": "1"}})
    endpoint.patch({"data": {"config.json": "{}"}}, world.SETTINGS)
    wait_for(lambda: endpoint.code(SETTINGS) == 503)
    assert endpoint.tag() == tag


CONDITIONS = [
    ("{}", 304),
    ("W/{}", 304),
    ('"other", {}', 304),
    ('"other",W/{} , "more"', 304),
    ("*", 304),
    ('"other"', 200),
    ('W/"other", "more"', 200),
    ('"{"', 200),
    ("", 200),
]


@pytest.mark.parametrize(("condition", "code"), CONDITIONS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_the_text_is_not_sent_it(
    endpoint: Endpoint, method: str, condition: str, code: int
) -> None:
    tag = endpoint.tag()
    headers = {"If-None-Match": condition.replace("{}", tag)}
    response = endpoint.client.open(VARS, method=method, headers=headers)
    assert response.status_code == code
    assert response.headers["ETag"] == tag
    assert response.headers["Cache-Control"] == "no-cache"
    assert ("Content-Type" in response.headers) == (code == 200)
    assert bool(response.data) == (code == 200 and method == "GET")


def test_a_tag_of_old_gets_the_new_text(endpoint: Endpoint) -> None:
    old = endpoint.tag()
    endpoint.patch({"data": {"CANARY_PERCENTAGE": "0"}})
    wait_for(lambda: endpoint.get(tag=old).status_code == 200)
    assert endpoint.get(tag=old).json == {"CANARY_PERCENTAGE": 0}


def test_a_head_has_the_headers_and_nothing_more(endpoint: Endpoint) -> None:
    head, get = endpoint.client.head(SETTINGS), endpoint.get(SETTINGS)
    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(get.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X-Y"])
@pytest.mark.parametrize("path", [VARS, "/config/test/nobody.json"])
def test_other_methods_are_refused_whatever_is_there(
    endpoint: Endpoint, method: str, path: str
) -> None:
    response = endpoint.client.open(path, method=method)
    assert response.status_code == 405
    assert response.json == {"reason": "MethodNotAllowed", "message": "use GET or HEAD"}
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}


BROKEN: dict[str, Json] = {
    "no JSON": {"data": {"config.json": "{oops"}},
    "not an object": {"data": {"config.json": "[1]"}},
    "no number": {"data": {"config.json": '{"FLAGS": 1}'}},
    "a quoted number": {"data": {"config.json": '{"CANARY_PERCENTAGE": "25"}'}},
    "over 100": {"data": {"config.json": '{"CANARY_PERCENTAGE": 150}'}},
    "NaN beside it": {"data": {"config.json": '{"CANARY_PERCENTAGE": 1, "x": NaN}'}},
    "twice": {"data": {"config.json": '{"CANARY_PERCENTAGE": 1, "CANARY_PERCENTAGE": 2}'}},
    "no such key": {"metadata": {"annotations": {"lockstep/key": "gone"}}},
    "an unknown mode": {"metadata": {"annotations": {"lockstep/mode": "maybe"}}},
    "nobody's label": {"metadata": {"labels": {LABEL: ""}}},
    "immutable": {"immutable": True},
}


@pytest.mark.parametrize("patch", BROKEN.values(), ids=BROKEN)
def test_a_broken_target_is_not_served_as_if_it_were_fine(endpoint: Endpoint, patch: Json) -> None:
    endpoint.patch(patch, world.SETTINGS)
    wait_for(lambda: endpoint.code(SETTINGS) == 503)
    response = endpoint.get(SETTINGS, tag="*")
    assert response.status_code == 503
    message = "no valid target; the log of lockstep serve-config says why"
    assert response.json == {
        "reason": "TargetInvalid", "message": f"ConfigMap test/canary-settings is {message}"
    }  # fmt: skip
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers
    assert endpoint.code() == 200
    (line,) = endpoint.broken()
    assert (line["level"], line["configmap"]) == ("WARNING", "canary-settings")


def test_a_broken_target_is_told_once_and_heals(endpoint: Endpoint) -> None:
    endpoint.patch({"data": {"CANARY_PERCENTAGE": "many"}})
    wait_for(lambda: endpoint.code() == 503)
    endpoint.patch({"metadata": {"annotations": {"x": "y"}}})
    restarts = metric(endpoint, "lockstep_config_watch_restarts_total")
    endpoint.api.cut_watches()
    wait_for(lambda: metric(endpoint, "lockstep_config_watch_restarts_total") > restarts)
    endpoint.patch({"data": {"CANARY_PERCENTAGE": "5"}})
    wait_for(lambda: endpoint.code() == 200)
    assert len(endpoint.broken()) == 1


def test_before_the_first_list_nothing_is_known(make_endpoint: MakeEndpoint) -> None:
    waiting = make_endpoint()
    waiting.api.pause()
    waiting.configs.start()
    wait_for(lambda: waiting.api.requests["list", "configmaps"] == 2)
    assert waiting.code() == waiting.code("/config/test/nobody.json") == 503
    assert waiting.probes.get("/readyz").status_code == 503
    assert waiting.probes.get("/healthz").status_code == 200
    waiting.api.resume()
    wait_for(lambda: waiting.code() == 200)
    assert waiting.code("/config/test/nobody.json") == 404
    assert waiting.probes.get("/readyz").status_code == 200


def test_a_silent_watch_ends_it_and_the_next_contact_begins_it_again(endpoint: Endpoint) -> None:
    tag = endpoint.tag()
    endpoint.hush()
    endpoint.clock.now += SILENCE
    assert endpoint.code() == 200
    endpoint.clock.now += 0.1
    response = endpoint.get(tag=tag)
    assert response.status_code == 503
    assert response.json is not None
    assert response.json["reason"] == "ClusterUnavailable"
    assert response.json["message"].startswith("nothing heard for 15 s of ConfigMaps labelled")
    assert response.headers["Cache-Control"] == "no-store"
    assert endpoint.code("/config/test/nobody.json") == 503
    assert endpoint.client.post(VARS).status_code == 405
    assert "nothing heard for 15 s" in endpoint.probes.get("/readyz").text
    assert endpoint.probes.get("/healthz").status_code == 200
    endpoint.store.put(world.variables(10))
    endpoint.store.put(config_map("z", BY_HAND, NUMBER))
    endpoint.api.resume()
    wait_for(lambda: endpoint.code() == 200)
    wait_for(lambda: endpoint.get().json == {"CANARY_PERCENTAGE": 10})
    assert endpoint.probes.get("/readyz").status_code == 200


def test_bookmarks_are_no_contact_but_the_next_list_is(endpoint: Endpoint) -> None:
    """An API server that has lost etcd opens watches and sends bookmarks all the same."""
    contact = "lockstep_config_watch_contact_timestamp_seconds"
    before = metric(endpoint, contact, watch="canary")
    endpoint.clock.now += SILENCE + 1
    endpoint.elsewhere()
    time.sleep(0.3)
    assert endpoint.code() == 503
    assert metric(endpoint, contact, watch="canary") == before
    endpoint.api.cut_watches()
    wait_for(lambda: endpoint.code() == 200)


def test_a_store_that_is_away_ends_it_although_watches_go_on(make_endpoint: MakeEndpoint) -> None:
    endpoint = make_endpoint(pace=Pace(window=1, list=0.3, last_pause=0.3))
    endpoint.start()
    endpoint.clock.now += SILENCE + 1
    wait_for(lambda: endpoint.code() == 200)
    endpoint.api.delay(60, "list", "configmaps")
    lists = endpoint.api.requests["list", "configmaps"]
    wait_for(lambda: endpoint.api.requests["list", "configmaps"] >= lists + 2)
    endpoint.clock.now += SILENCE + 1
    time.sleep(1.5)
    assert endpoint.code() == 503
    endpoint.api.delay(0, "list", "configmaps")
    wait_for(lambda: endpoint.code() == 200)


@pytest.mark.parametrize("watch", ["canary", "serve"])
def test_one_silent_watch_is_enough(make_endpoint: MakeEndpoint, watch: str) -> None:
    endpoint = make_endpoint(pace=Pace(window=1))
    endpoint.start()
    endpoint.hush()
    (deaf,) = (it for it in endpoint.configs._watched if it.watch == watch)
    deaf.contact -= SILENCE + 1
    assert endpoint.code() == 503
    endpoint.api.resume()
    wait_for(lambda: endpoint.code() == 200)


def test_a_watch_that_is_refused_falls_silent_and_says_so(endpoint: Endpoint) -> None:
    endpoint.api.deny("list", "configmaps")
    endpoint.api.deny("watch", "configmaps")
    endpoint.api.cut_watches()
    wait_for(lambda: endpoint.lines.having(level="WARNING"))
    assert endpoint.code() == 200
    endpoint.clock.now += SILENCE + 0.1
    assert endpoint.code() == 503
    endpoint.api.allow("list", "configmaps")
    endpoint.api.allow("watch", "configmaps")
    wait_for(lambda: endpoint.code() == 200)
    assert all("starts over" in it["message"] for it in endpoint.lines.having(level="WARNING"))


def test_a_lost_connection_is_survived_without_a_gap() -> None:
    """Contact is at most one time-out old when the reflector notices and lists anew."""
    assert PACE.window < PACE.silence < SILENCE - 2
    assert PACE.window + PACE.list + PACE.first_pause < SILENCE - 0.5


def test_one_namespace_is_watched_if_so_wished(make_endpoint: MakeEndpoint) -> None:
    endpoint = make_endpoint("shop")
    for space in ("shop", "test"):
        endpoint.store.put(world.variables(1, Name(space, "here")))
    endpoint.start()
    assert endpoint.code("/config/shop/here.json") == 200
    assert endpoint.code("/config/test/here.json") == 404


def metric(endpoint: Endpoint, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(endpoint.metrics.text().decode())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_what_is_measured(make_endpoint: MakeEndpoint) -> None:
    endpoint = make_endpoint(pace=Pace(window=1))
    endpoint.start()
    for tag, path in (("", VARS), ("*", VARS), ("", "/x"), ("", "/y")):
        endpoint.get(path, tag)
    endpoint.client.post(VARS)
    seen = {code: metric(endpoint, "lockstep_config_requests_total", code=code) for code in CODES}
    assert seen == CODES
    assert metric(endpoint, "lockstep_config_build_info", version=__version__) == 1
    contact = "lockstep_config_watch_contact_timestamp_seconds"
    for watch in ("canary", "serve"):
        before = metric(endpoint, contact, watch=watch)
        wait_for(lambda: metric(endpoint, contact, watch=watch) > before > 1e9)  # noqa: B023
    assert endpoint.probes.get("/metrics").data.startswith(b"# HELP lockstep_config_")


CODES = {"200": 1, "304": 1, "404": 2, "405": 1}


def test_no_label_comes_from_a_caller(endpoint: Endpoint) -> None:
    for number in range(20):
        endpoint.get(f"/config/n{number}/m{number}.json", tag=f'"t{number}"')
        endpoint.client.open(VARS, method=f"M{number}")
    families = list(text_string_to_metric_families(endpoint.metrics.text().decode()))
    labels = {json.dumps(it.labels) for family in families for it in family.samples}
    assert labels == {
        '{"code": "404"}', '{"code": "405"}', '{"watch": "canary"}', '{"watch": "serve"}',
        json.dumps({"version": __version__}),
    }  # fmt: skip


def test_no_request_is_logged(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for path in (VARS, "/x"):
        endpoint.get(path)
    assert not caplog.records
    assert not endpoint.lines.seen


def test_no_request_reaches_the_api_server(endpoint: Endpoint) -> None:
    before = endpoint.api.requests
    for path in (VARS, "/config/test/nobody.json"):
        endpoint.get(path)
    assert endpoint.api.requests == before


def test_it_asks_for_lists_and_watches_of_configmaps_and_nothing_else(endpoint: Endpoint) -> None:
    for method in ("get", "post", "put", "patch", "delete"):
        getattr(endpoint.client, method)(VARS, json={"data": {"CANARY_PERCENTAGE": "100"}})
    endpoint.patch({"data": {"CANARY_PERCENTAGE": "26"}})
    wait_for(lambda: (endpoint.get().json or {})["CANARY_PERCENTAGE"] == 26)
    asked = {it for it, count in endpoint.api.requests.items() if count}
    assert asked == {("list", "configmaps"), ("watch", "configmaps")}
