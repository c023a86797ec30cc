"""Whatever comes in wrong and whatever the cluster refuses: a clear answer, no number moves."""

import io
import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests import world
from tests.service.conftest import PAYLOAD, Lab, MakeLab, event
from tests.waiting import wait_for
from webhook import kinds
from webhook.demo.store import Store, StoreError
from webhook.gates import Hook
from webhook.kinds import Name
from webhook.payload import LARGEST_BODY

HOOKS = [str(hook) for hook in Hook]
GATES = ["confirm-rollout", "confirm-traffic-increase", "confirm-promotion"]
ANNOUNCEMENT = "Rolling back web.test failed checks threshold reached 3"

MALFORMED: list[tuple[str, object, str]] = [
    ("no object", [], "body: "),
    ("empty", {}, "name: Field required; namespace: Field required"),
    ("a number as name", PAYLOAD | {"name": 5}, "name: Input should be a valid string"),
    ("a path as name", PAYLOAD | {"name": "../secrets"}, "name: it is no name that Kubernetes"),
    ("upper case", PAYLOAD | {"namespace": "Test"}, "namespace: it is no name that Kubernetes"),
    ("an empty namespace", PAYLOAD | {"namespace": ""}, "namespace: "),
    ("a name that is too long", PAYLOAD | {"name": "a" * 254}, "name: "),
    ("a newline at the end", PAYLOAD | {"name": "web\n"}, "name: "),
    ("metadata as a list", PAYLOAD | {"metadata": ["token"]}, "metadata: "),
    ("a number in metadata", PAYLOAD | {"metadata": {"token": 5}}, "metadata.token: "),
    ("failedChecks as text", PAYLOAD | {"failedChecks": "3"}, "failedChecks: "),
    ("two faults at once", {"name": 5, "namespace": 6}, "; namespace: "),
]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("body", "fault"), [it[1:] for it in MALFORMED], ids=[it[0] for it in MALFORMED]
)
def test_a_malformed_body_is_400_and_every_wrong_field_is_named(
    lab: Lab, hook: str, body: object, fault: str
) -> None:
    response = lab.hook(hook, body)
    assert response.status_code == 400
    assert response.json
    assert response.json["reason"] == "BodyInvalid"
    assert fault in response.json["message"]
    assert lab.metric("lockstep_hook_seconds_count", hook=hook, code="400") == 1
    assert lab.lines.having(hook=hook, reason="BodyInvalid")
    assert not lab.api.requests


WRONG_EVENTS = [
    ({}, "metadata.eventMessage: Field required; metadata.timestamp: Field required"),
    ({"eventMessage": "x"}, "metadata.timestamp: Field required"),
    ({"eventMessage": "x", "timestamp": "now"}, "metadata.timestamp: "),
    ({"eventMessage": "x", "timestamp": "-1"}, "metadata.timestamp: "),
    ({"eventMessage": "x", "timestamp": "1" * 15}, "metadata.timestamp: "),
    ({"eventMessage": "x", "timestamp": 1}, "metadata.timestamp: "),
]


@pytest.mark.parametrize(("metadata", "fault"), WRONG_EVENTS)
def test_an_event_without_its_message_or_time_is_400(
    lab: Lab, metadata: dict[str, object], fault: str
) -> None:
    response = lab.hook("event", PAYLOAD | {"metadata": metadata})
    assert response.status_code == 400
    assert response.json
    assert fault in response.json["message"]


NOT_JSON = ["", "{", "name=web", '{"name": NaN}', "\x00", "[" * 100_000]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_a_body_that_does_not_parse_is_400(lab: Lab, body: str) -> None:
    large = len(body) > LARGEST_BODY
    response = lab.client.post("/event", data=body, content_type="application/json")
    assert response.status_code == (413 if large else 400)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_415(lab: Lab, hook: str, content_type: str | None) -> None:
    response = lab.client.post(f"/{hook}", data=json.dumps(PAYLOAD), content_type=content_type)
    assert response.status_code == 415
    assert response.json
    assert response.json["reason"] == "NotJson"
    assert not lab.api.requests


@pytest.mark.parametrize("hook", HOOKS)
def test_a_body_over_64_kib_is_413(lab: Lab, hook: str) -> None:
    response = lab.hook(hook, PAYLOAD | {"metadata": {"x": "y" * LARGEST_BODY}})
    assert response.status_code == 413
    assert response.json
    assert response.json["reason"] == "BodyTooLarge"
    assert not lab.api.requests


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_another_method_is_405_and_says_which_is_right(lab: Lab, method: str) -> None:
    response = lab.client.open("/event", method=method)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    if method != "HEAD":
        assert response.json
        assert response.json["reason"] == "MethodNotAllowed"
        assert response.json["message"].startswith("/event: the hooks are POST /confirm-rollout, ")


def test_another_path_is_404_and_lists_the_hooks(lab: Lab) -> None:
    response = lab.client.post("/confirm-everything", json=PAYLOAD)
    assert response.status_code == 404
    assert response.json
    assert response.json["reason"] == "UnknownPath"
    assert "/confirm-traffic-increase" in response.json["message"]


NAMES = st.text(string.ascii_lowercase + "-./\x00é", max_size=70) | st.just("web")
JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
PAYLOADS = JSON | st.fixed_dictionaries(
    {"name": NAMES, "namespace": NAMES | st.just("test")},
    optional={
        "phase": st.text() | JSON,
        "checksum": st.text(),
        "failedChecks": st.integers() | JSON,
        "metadata": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "eventMessage": st.sampled_from(["Routing all traffic to primary", ANNOUNCEMENT])
                | st.text(),
                "timestamp": st.integers().map(str) | st.integers(0, 10**14).map(str) | st.text(),
                "token": st.text(),
            },
        ),
    },
)


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(hook=st.sampled_from(HOOKS), payload=PAYLOADS)
def test_whatever_is_posted_only_documented_statuses_come_back(
    lab: Lab, hook: str, payload: object
) -> None:
    response = lab.hook(hook, payload)
    assert response.status_code in {200, 400, 403, 404}
    assert response.json
    assert set(response.json) == {"approved", "reason", "message"}
    assert response.json["approved"] == (response.status_code == 200)
    assert lab.share() <= 25


ANSWERS_FOR_THE_UNKNOWN = {"event": 200, "post-rollout": 200}


@pytest.mark.parametrize("hook", HOOKS)
def test_an_unknown_canary_is_404_except_where_flagger_speaks_after_deletion(
    lab: Lab, hook: str
) -> None:
    response = lab.hook(hook, event("Advance") | {"name": "nobody"})
    assert response.status_code == ANSWERS_FOR_THE_UNKNOWN.get(hook, 404)
    assert response.json
    assert response.json["message"] == "there is no Canary test/nobody"
    assert lab.metric("lockstep_routed_share", canary="nobody") is None
    assert lab.writes() == 0


def test_a_foreign_config_map_is_never_touched(make_lab: MakeLab) -> None:
    foreign = world.variables(90, Name("test", "foreign"))
    del foreign["metadata"]["labels"]["lockstep/canary"]
    elsewhere = world.variables(90, Name("other", "canary-vars"))
    others = world.variables(90, Name("test", "others"))
    others["metadata"]["labels"]["lockstep/canary"] = "web2"
    store = world.rollout(0, world.variables(25), foreign, elsewhere, others)
    lab = make_lab(store)
    assert lab.hook("event", event("Advance")).status_code == 200
    assert lab.share() == 0
    for obj in (foreign, elsewhere, others):
        name = Name(obj["metadata"]["namespace"], obj["metadata"]["name"])
        assert world.client_share(store, name) == 90


@pytest.mark.parametrize("number", ["lots", "101", "-1", "2.5", ""])
def test_a_target_that_does_not_parse_is_named_and_left_alone(
    make_lab: MakeLab, number: str
) -> None:
    lab = make_lab(world.rollout(0, world.variables(number)))
    for gate in GATES:
        response = lab.hook(gate)
        assert response.status_code == 403
        assert response.json
        assert response.json["reason"] == "TargetInvalid"
        assert response.json["message"].startswith("ConfigMap test/canary-vars: CANARY_PERCENTAGE")
    assert lab.hook("event", event(ANNOUNCEMENT)).status_code == 200
    assert lab.writes() == 0
    assert lab.metric("lockstep_in_step", canary="web") == 0


UNREADABLE: list[tuple[str, Any, str]] = [
    ("forbidden", lambda lab: lab.api.deny("get", "httproutes"), "forbidden"),
    ("missing", lambda lab: lab.store.delete(kinds.HTTP_ROUTE, world.WEB), "does not exist"),
    ("CRD missing", lambda lab: lab.api.unregister(kinds.HTTP_ROUTE), "does not exist"),
    (
        "without the canary",
        lambda lab: lab.store.put(world.route(0) | {"spec": {"rules": [{"backendRefs": []}]}}),
        "no destination is web-canary",
    ),
    (
        "malformed",
        lambda lab: lab.store.put(world.route(0) | {"spec": {"rules": "none"}}),
        "not a list",
    ),
]


@pytest.mark.parametrize(
    ("breaks", "says"), [it[1:] for it in UNREADABLE], ids=[it[0] for it in UNREADABLE]
)
def test_an_unreadable_router_holds_every_gate_and_keeps_the_number(
    lab: Lab, breaks: Any, says: str
) -> None:
    breaks(lab)
    for gate in GATES:
        response = lab.hook(gate)
        assert response.status_code == 403
        assert response.json
        assert response.json["reason"] == "RouterUnreadable"
        assert "HTTPRoute" in response.json["message"]
        assert says in response.json["message"]
        refusals = "lockstep_gate_refusals_total"
        assert lab.metric(refusals, hook=gate, reason="RouterUnreadable") == 1
    assert lab.hook("pre-rollout").status_code == 200
    assert lab.share() == 25


def test_an_announcement_lowers_although_the_router_is_unreadable(lab: Lab) -> None:
    lab.api.deny("get", "httproutes")
    assert lab.hook("event", event(ANNOUNCEMENT)).status_code == 200
    assert lab.share() == 0


WITHOUT_THE_CLUSTER = {"pre-rollout": 200, "rollout": 200, "rollback": 403}


@pytest.mark.parametrize(("verb", "plural"), [("list", "configmaps"), ("get", "canaries")])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_refused_read_is_a_fault_that_names_what_was_refused(
    lab: Lab, hook: str, verb: str, plural: str
) -> None:
    lab.api.deny(verb, plural)
    response = lab.hook(hook, event("Advance"))
    assert response.status_code == WITHOUT_THE_CLUSTER.get(hook, 503)
    assert response.json
    assert response.json["reason"] == "ClusterForbidden"
    assert f'cannot {verb} resource "{plural}"' in response.json["message"]
    assert lab.metric("lockstep_api_errors_total", verb=verb) == 1
    assert lab.share() == 25


@pytest.mark.parametrize("hook", HOOKS)
def test_an_unreachable_api_server_is_a_fault_of_ours(lab: Lab, hook: str) -> None:
    lab.api.__exit__(None, None, None)
    response = lab.hook(hook, event("Advance"))
    assert response.status_code == WITHOUT_THE_CLUSTER.get(hook, 503)
    assert "Retry-After" not in response.headers
    assert response.json
    assert response.json["reason"] == "ClusterUnavailable"
    assert response.json["message"].startswith("list configmaps in test: ")
    assert lab.metric("lockstep_api_errors_total", verb="list") == 1


@pytest.mark.parametrize("hook", ["confirm-promotion", "event"])
def test_a_silent_api_server_is_given_up_at_the_deadline(make_lab: MakeLab, hook: str) -> None:
    lab = make_lab(hook_deadline=0.3)
    lab.api.pause()
    response = lab.hook(hook, event("Advance"))
    lab.api.resume()
    assert response.status_code == 503
    assert 0.25 < (lab.metric("lockstep_hook_seconds_sum", hook=hook) or 0) < 1


def test_a_refused_write_names_the_config_map_and_holds_the_gates(make_lab: MakeLab) -> None:
    lab = make_lab(world.rollout(50, world.variables(25)))
    lab.api.deny("patch", "configmaps")
    response = lab.hook("confirm-traffic-increase")
    assert response.status_code == 403
    assert response.json
    assert response.json["reason"] == "WriteRefused"
    assert 'configmaps "canary-vars" is forbidden' in response.json["message"]
    assert lab.metric("lockstep_writes_total", mode="write", result="failed") == 1
    (line,) = lab.lines.having(message="ConfigMap canary-vars could not be written")
    assert 'configmaps "canary-vars" is forbidden' in line["error"]
    assert lab.share() == 25


def test_an_announcement_that_cannot_be_written_is_no_success(lab: Lab) -> None:
    lab.api.deny("patch", "configmaps")
    response = lab.hook("event", event(ANNOUNCEMENT))
    assert response.status_code == 503
    assert response.json
    assert response.json["reason"] == "WriteRefused"


class Unwell(Store):
    """A store that cannot keep one of its ConfigMaps."""

    def patch(self, kind: kinds.Kind, name: Name, patch: dict[str, object]) -> dict[str, object]:
        if name.name == "a-vars":
            raise StoreError(500, "InternalError", "etcd is not well")
        return super().patch(kind, name, patch)


def test_one_target_that_cannot_be_written_does_not_keep_the_others(make_lab: MakeLab) -> None:
    first = world.variables(25, Name("test", "a-vars"))
    lab = make_lab(world.rollout(0, first, world.variables(25), store=Unwell()))
    response = lab.hook("event", event("Advance"))
    assert lab.share() == 0
    assert response.json
    assert (response.status_code, response.json["reason"]) == (503, "ClusterUnavailable")
    assert "etcd is not well" in response.json["message"]


def test_a_slow_router_does_not_lose_an_announcement(make_lab: MakeLab) -> None:
    lab = make_lab(hook_deadline=1.2)
    lab.api.delay(10, "get", "httproutes")
    response = lab.hook("event", event(ANNOUNCEMENT))
    lab.api.delay(0, "get", "httproutes")
    assert lab.share() == 0
    assert response.status_code in {200, 503}  # the number fell; whether in time depends


def test_a_chunked_body_over_64_kib_is_413(lab: Lab) -> None:
    chunks = io.BytesIO(b"x" * (LARGEST_BODY + 10))
    response = lab.client.post(
        "/event",
        input_stream=chunks,
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert response.status_code == 413


def test_one_immutable_target_does_not_keep_the_others_from_falling(make_lab: MakeLab) -> None:
    frozen = world.variables(25, Name("test", "a-frozen")) | {"immutable": True}
    lab = make_lab(world.rollout(0, frozen, world.variables(25)))
    response = lab.hook("event", event("Advance"))
    assert response.status_code == 200
    assert response.json
    assert "a-frozen: it is immutable" in response.json["message"]
    assert lab.share() == 0
    assert lab.share(Name("test", "a-frozen")) == 25


INVALID_CANARIES = [
    ({"targetRef": {"kind": "StatefulSet", "name": "web"}}, "StatefulSet"),
    ({"targetRef": {"kind": "Deployment"}}, "spec.targetRef.name is missing"),
]


@pytest.mark.parametrize(("spec", "says"), INVALID_CANARIES)
def test_a_canary_that_does_not_parse_holds_every_gate(
    lab: Lab, spec: dict[str, Any], says: str
) -> None:
    lab.store.put(world.canary() | {"spec": spec})
    response = lab.hook("confirm-promotion")
    assert response.status_code == 403
    assert response.json
    assert response.json["reason"] == "CanaryInvalid"
    assert says in response.json["message"]
    assert lab.share() == 25


def without_a_known_workload(share: int, **brakes: str) -> Store:
    """A rollout at `share` of a Canary that does not parse."""
    store = world.rollout(share)
    canary = world.canary(annotations={f"lockstep/{key}": it for key, it in brakes.items()})
    canary["spec"]["targetRef"]["kind"] = "Job"
    store.put(canary)
    return store


def test_the_kill_switch_works_on_a_canary_that_does_not_parse(make_lab: MakeLab) -> None:
    lab = make_lab(without_a_known_workload(50, cap="0"), start=True)
    wait_for(lambda: lab.share() == 0)


def test_brakes_that_cannot_be_read_let_nothing_rise(make_lab: MakeLab) -> None:
    canary = world.canary()
    canary["metadata"]["annotations"] = ["lockstep/cap"]
    lab = make_lab(world.rollout(50, world.variables(25)))
    lab.store.put(canary)
    response = lab.hook("confirm-promotion")
    assert response.json
    assert (response.status_code, response.json["reason"]) == (403, "BrakeInvalid")
    assert "annotations is ['lockstep/cap'], not a map" in response.json["message"]
    assert lab.share() == 25


ANNOUNCED = [ANNOUNCEMENT, "Routing all traffic to primary"]


@pytest.mark.parametrize("message", ANNOUNCED)
def test_an_announcement_counts_on_a_canary_that_does_not_parse(
    make_lab: MakeLab, message: str
) -> None:
    lab = make_lab(without_a_known_workload(50))
    assert (lab.hook("event", event(message)).status_code, lab.share()) == (200, 0)


@pytest.mark.parametrize("hook", ["event", "post-rollout"])
def test_what_should_have_fallen_is_a_fault_although_the_canary_does_not_parse(
    make_lab: MakeLab, hook: str
) -> None:
    lab = make_lab(without_a_known_workload(50, cap="10"))
    lab.api.deny("patch", "configmaps")
    response = lab.hook(hook, event("Advance web.test canary weight 50"))
    assert response.status_code == 503
    assert response.json
    assert response.json["reason"] == "WriteRefused"


TOKENS = [("right", 200), ("wrong", 401), ("rightright", 401), ("", 401), (None, 401), ("é", 401)]


@pytest.mark.parametrize(("token", "status"), TOKENS)
def test_a_token_that_is_set_must_match(make_lab: MakeLab, token: str | None, status: int) -> None:
    lab = make_lab(hook_token="right")  # noqa: S106
    metadata = {} if token is None else {"token": token}
    response = lab.hook("confirm-promotion", PAYLOAD | {"metadata": metadata})
    assert response.status_code == status
    assert "right" not in json.dumps(lab.lines.seen)
    if status == 401:
        assert not lab.api.requests
        assert lab.lines.having(reason="TokenInvalid")
