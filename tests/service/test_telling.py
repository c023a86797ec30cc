"""What an operator sees: log lines, Kubernetes Events and metrics."""

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import world
from tests.service.conftest import PAYLOAD, Lab, MakeLab, event
from tests.waiting import wait_for
from webhook import __version__, kinds
from webhook.app import METRICS_TYPE, read_app
from webhook.demo.store import Store

TO_PRIMARY = "Routing all traffic to primary"
FAST = {"flux_patience": 0.2, "hook_deadline": 0.5}
HELD = {"lockstep/hold": "true"}
LINE = {
    "time", "level", "message", "hook", "namespace", "canary", "phase", "configmap", "trigger",
    "event", "routed", "before", "after", "ceiling", "verdict", "reason", "error", "duration_ms",
}  # fmt: skip
"""The fields of the design, section 7."""


def held(share: int = 25) -> Store:
    store = world.rollout(share)
    store.put(world.canary(annotations=HELD))
    return store


def test_a_hook_is_one_line(lab: Lab) -> None:
    lab.hook("confirm-traffic-increase")
    (line,) = lab.lines.seen
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("duration_ms") >= 0
    assert line == {
        "level": "INFO",
        "message": "1 ConfigMap has the desired share of 25 %",
        "hook": "confirm-traffic-increase",
        "namespace": "test",
        "canary": "web",
        "phase": "Progressing",
        "routed": 25,
        "verdict": "approved",
        "reason": "InStep",
    }


def test_a_change_of_a_share_is_one_line(make_lab: MakeLab) -> None:
    store = world.rollout(50, world.variables(50))
    store.put(world.canary("Promoting"))
    lab = make_lab(store)
    lab.hook("event", event(TO_PRIMARY))
    change, hook = lab.lines.seen
    del change["time"]
    assert change == {
        "level": "INFO",
        "message": "client share from 50 % to 0 %",
        "namespace": "test",
        "canary": "web",
        "phase": "Promoting",
        "configmap": "canary-vars",
        "trigger": "event",
        "event": TO_PRIMARY,
        "routed": 50,
        "before": 50,
        "after": 0,
        "ceiling": 0,
    }
    assert (hook["hook"], hook["event"], hook["ceiling"]) == ("event", TO_PRIMARY, 0)


def test_no_line_has_a_field_that_the_design_does_not_know(make_lab: MakeLab) -> None:
    lab = make_lab(held(50), start=True)
    for hook in ("confirm-rollout", "rollback", "event", "pre-rollout"):
        lab.hook(hook, event("Advance"))
    lab.api.deny("list", "configmaps")
    lab.hook("confirm-promotion")
    lab.hook("confirm-promotion", [])
    wait_for(lambda: lab.lines.having(hook="confirm-promotion", reason="BodyInvalid"))
    assert {field for line in lab.lines.seen for field in line} <= LINE


def test_a_fault_is_a_warning_with_its_error(lab: Lab) -> None:
    lab.api.deny("get", "canaries")
    lab.hook("confirm-promotion")
    (line,) = lab.lines.having(level="WARNING")
    assert line["reason"] == "ClusterForbidden"
    assert 'canaries.flagger.app "web" is forbidden' in line["error"]


def test_a_change_is_told_on_the_canary(make_lab: MakeLab) -> None:
    lab = make_lab(world.rollout(50, world.variables(25)), start=True)
    wait_for(lab.told)
    (told,) = lab.told()
    assert told["involvedObject"] == {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "namespace": "test",
        "name": "web",
        "uid": "u-1",
    }
    assert (told["reason"], told["type"], told["count"]) == ("ClientShareChanged", "Normal", 1)
    assert told["message"] == "ConfigMap canary-vars: from 25 % to 50 %"


def test_a_refusal_is_told_with_its_reason_and_repeats_are_counted(make_lab: MakeLab) -> None:
    lab = make_lab(held(), start=True)
    for _ in range(3):
        assert lab.hook("confirm-promotion").status_code == 403
    wait_for(lambda: [it for it in lab.told() if it["count"] == 3])
    (told,) = lab.told()
    assert (told["reason"], told["type"]) == ("Held", "Warning")
    assert told["message"].startswith("confirm-promotion: annotation lockstep/hold")
    refusals = "lockstep_gate_refusals_total"
    assert lab.metric(refusals, hook="confirm-promotion", reason="Held") == 3


def test_that_nobody_asked_for_a_rollback_is_no_refusal(make_lab: MakeLab) -> None:
    lab = make_lab(start=True)
    lab.hook("rollback")
    lab.hook("confirm-promotion")
    lab.service.recorder.stop()
    assert lab.told() == []
    assert lab.metric("lockstep_gate_refusals_total") is None


def test_being_out_of_step_is_told_once_it_lasts_and_so_is_its_end(make_lab: MakeLab) -> None:
    lab = make_lab(world.rollout(25, world.variables(25), world.settings(0)), **FAST)
    lab.service.recorder.start()
    lab.hook("event", event("Advance"))
    lab.hook("confirm-promotion", PAYLOAD)
    wait_for(lambda: [it for it in lab.told() if it["reason"] == "OutOfStep"])
    lab.store.put(world.settings(25))
    lab.hook("event", event("Advance"))
    wait_for(lambda: [it for it in lab.told() if it["reason"] == "BackInStep"])
    lab.service.recorder.stop()
    reasons = [it["reason"] for it in lab.told()]
    assert reasons[-1] == "BackInStep"
    assert len([it for it in lab.told() if it["message"].startswith("OutOfStep: ")]) == 1


def test_an_ab_test_is_said_not_to_reach_browsers(make_lab: MakeLab) -> None:
    canary = world.canary("Initialized")
    canary["spec"]["analysis"] = {"match": [{"headers": {"x": {"exact": "y"}}}]}
    store = world.rollout(0, world.variables(0))
    store.put(canary)
    lab = make_lab(store, start=True)
    response = lab.hook("confirm-rollout")
    assert response.json
    assert (response.status_code, response.json["reason"]) == (200, "BrowsersExcluded")
    wait_for(lambda: [it for it in lab.told() if it["reason"] == "BrowsersExcluded"])


def test_an_event_that_cannot_be_written_costs_only_a_warning(make_lab: MakeLab) -> None:
    lab = make_lab(held(), start=True)
    lab.api.deny("create", "events")
    assert lab.hook("confirm-promotion").status_code == 403
    wait_for(lambda: lab.lines.having(message="an Event could not be written"))


SERIES = {
    "lockstep_routed_share": {"namespace", "canary"},
    "lockstep_client_share": {"namespace", "canary", "configmap"},
    "lockstep_in_step": {"namespace", "canary"},
    "lockstep_ceiling": {"namespace", "canary"},
    "lockstep_sync_seconds": {"trigger"},
    "lockstep_hook_seconds": {"hook", "code"},
    "lockstep_gate_refusals": {"hook", "reason"},
    "lockstep_writes": {"mode", "result"},
    "lockstep_api_errors": {"verb"},
    "lockstep_watch_restarts": {"resource"},
    "lockstep_watch_contact_timestamp_seconds": {"resource"},
    "lockstep_hook_last_timestamp_seconds": {"hook"},
    "lockstep_build_info": {"version"},
}


def test_metrics_parse_and_are_those_of_the_design(make_lab: MakeLab) -> None:
    store = held(50)
    store.put(world.variables(25))
    lab = make_lab(store, start=True)
    lab.hook("confirm-promotion")
    lab.api.cut_watches()
    lab.api.deny("list", "configmaps")
    lab.hook("confirm-promotion")
    wait_for(lambda: lab.metric("lockstep_watch_restarts_total"))
    client = read_app(lab.service.metrics, lab.service.watcher.missing).test_client()
    response = client.get("/metrics")
    assert response.headers["Content-Type"] == METRICS_TYPE
    families: list[Any] = list(text_string_to_metric_families(response.text))
    assert {it.name for it in families} == set(SERIES)
    for family in families:
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == SERIES[family.name], sample
    assert lab.metric("lockstep_build_info", version=__version__) == 1


def test_no_label_comes_from_a_caller(lab: Lab) -> None:
    before = series(lab)
    for number in range(20):
        lab.hook("event", event("x") | {"name": f"nobody-{number}", "phase": f"p{number}"})
        lab.client.post(f"/path-{number}", json={})
    added = series(lab) - before
    assert not [it for it in added if "nobody" in it or "path-" in it or "p1" in it]


def series(lab: Lab) -> set[str]:
    lines = lab.service.metrics.text().decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_probes_say_what_is_missing(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.api.deny("list", "configmaps")
    lab.service.start()
    client = read_app(lab.service.metrics, lab.service.watcher.missing).test_client()
    assert client.get("/healthz").text == "ok\n"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "configmaps labelled lockstep/canary" in response.text
    lab.api.allow("list", "configmaps")
    wait_for(lambda: client.get("/readyz").status_code == 200)
    lab.service.stop()


def test_the_read_only_side_has_no_hooks(lab: Lab) -> None:
    client = read_app(lab.service.metrics, lab.service.watcher.missing).test_client()
    assert client.post("/event", json=PAYLOAD).status_code == 404
    assert client.post("/metrics").status_code == 405


def test_a_ceiling_has_a_series_only_while_it_is_in_force(make_lab: MakeLab) -> None:
    store = world.rollout(50, world.variables(50))
    store.put(world.canary("Promoting"))
    lab = make_lab(store)
    assert lab.metric("lockstep_ceiling") is None
    lab.hook("event", event(TO_PRIMARY))
    assert lab.metric("lockstep_ceiling", namespace="test", canary="web") == 0


@pytest.mark.parametrize("kind", [kinds.HTTP_ROUTE, kinds.DEPLOYMENT])
def test_an_unreadable_share_is_not_shown_as_0(lab: Lab, kind: kinds.Kind) -> None:
    lab.api.deny("get", kind.plural)
    lab.hook("confirm-promotion")
    assert lab.metric("lockstep_in_step", canary="web") == 0
    if kind is kinds.HTTP_ROUTE:
        routed = lab.metric("lockstep_routed_share", canary="web")
        assert routed != routed  # noqa: PLR0124 - only NaN is unlike itself
