import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recorded import junk, places
from webhook import canary, kinds
from webhook.canary import Brakes, Canary, MeshDefaults, Phase
from webhook.fields import FieldError
from webhook.kinds import Kind, Name

Json = dict[str, object]

RECORDINGS = Path(canary.__file__).parent / "demo" / "data"
MESH = MeshDefaults()


def recorded(kind: str) -> Iterator[tuple[str, Json]]:
    for file in sorted(RECORDINGS.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            if row["type"] == "object" and row["object"]["kind"] == kind:
                yield file.stem, row["object"]


def frontend() -> Json:
    return {
        "metadata": {"namespace": "shop", "name": "frontend", "uid": "u1"},
        "spec": {
            "targetRef": {"kind": "Deployment", "name": "web"},
            "service": {"port": 80},
            "analysis": {"interval": "30s", "stepWeight": 10},
        },
    }


def changed(value: object, *path: str) -> Json:
    """The frontend with `value` at `path`; None leaves the field out."""
    obj: Json = frontend()
    inner: object = obj
    for step in path[:-1]:
        assert isinstance(inner, dict)
        inner = inner.setdefault(step, {})
    assert isinstance(inner, dict)
    inner[path[-1]] = value
    if value is None:
        del inner[path[-1]]
    return obj


def parsed(value: object, *path: str) -> Canary:
    return canary.parse(changed(value, *path), MESH)


def annotated(**brakes: object) -> Json:
    annotations = {f"lockstep/{name}": value for name, value in brakes.items()}
    return changed(annotations, "metadata", "annotations")


# --- what Flagger really wrote


def test_every_recorded_canary_is_read() -> None:
    phases = set()
    for scenario, obj in recorded("Canary"):
        read = canary.parse(obj, MESH)
        phases.add(read.phase)
        assert read.ref == read.target == Name("test", scenario)
        assert read.apex == scenario
        assert read.target_kind == kinds.DEPLOYMENT
        assert read.interval == 10
        assert read.uid
        assert read.ab_test == (scenario == "ab-test")
        assert read.ingress == (scenario if scenario == "success-nginx" else "")
        assert read.brakes == Brakes()
        assert bool(read.last_transition) == (read.phase is not Phase.NEW)
    assert phases == set(Phase) - {Phase.UNKNOWN}


@pytest.mark.parametrize(
    ("scenario", "provider"),
    [
        ("success", "gatewayapi:v1"),
        ("success-nginx", "nginx"),
        ("plain-kubernetes", "kubernetes"),
    ],
)
def test_the_recorded_provider_is_the_canarys_own(scenario: str, provider: str) -> None:
    found = {
        canary.parse(obj, MESH).provider for name, obj in recorded("Canary") if name == scenario
    }
    assert found == {provider}


def test_the_recorded_release_is_flaggers_hash_of_the_revision() -> None:
    read = [canary.parse(obj, MESH) for name, obj in recorded("Canary") if name == "success"]
    releases = [it.last_applied_spec for it in read]
    assert releases[0] == ""
    assert len(set(releases) - {""}) == 2


def test_a_recorded_canary_is_deleting_once_it_says_so() -> None:
    deleting = {
        (name, canary.parse(obj, MESH).phase)
        for name, obj in recorded("Canary")
        if canary.parse(obj, MESH).deleting
    }
    assert {name for name, _ in deleting} == {"deleted-revert"}
    assert Phase.TERMINATING in {phase for _, phase in deleting}


def test_a_recorded_deployment_runs_unless_flagger_scaled_it_to_zero() -> None:
    seen = set()
    for _, obj in recorded("Deployment"):
        spec = obj["spec"]
        assert isinstance(spec, dict)
        runs = canary.running(kinds.DEPLOYMENT, obj)
        seen.add(runs)
        assert runs == (spec["replicas"] > 0)
    assert seen == {True, False}


# --- the fields


def test_a_canary_is_read_with_all_its_fields() -> None:
    obj = {
        "metadata": {
            "namespace": "shop",
            "name": "frontend",
            "uid": "u1",
            "deletionTimestamp": "2026-11-23T12:00:00Z",
            "annotations": {"lockstep/cap": "10"},
        },
        "spec": {
            "provider": "nginx",
            "targetRef": {"kind": "DaemonSet", "name": "web"},
            "ingressRef": {"name": "edge"},
            "routeRef": {"name": "front"},
            "service": {"name": "www"},
            "analysis": {
                "interval": "1m30s",
                "sessionAffinity": {"cookieName": "c", "primaryCookieName": "p"},
            },
        },
        "status": {
            "phase": "Promoting",
            "lastAppliedSpec": "5d4f",
            "lastTransitionTime": "2026-11-23T12:00:00Z",
        },
    }
    assert canary.parse(obj, MeshDefaults(ingress_prefix="example.com")) == Canary(
        ref=Name("shop", "frontend"),
        apex="www",
        target=Name("shop", "web"),
        target_kind=kinds.DAEMON_SET,
        provider="nginx",
        uid="u1",
        phase=Phase.PROMOTING,
        deleting=True,
        ingress="edge",
        ingress_prefix="example.com",
        route="front",
        cookies=("c", "p"),
        interval=90,
        last_applied_spec="5d4f",
        last_transition=1795435200,
        brakes=Brakes(cap=10),
    )


@pytest.mark.parametrize(
    ("name", "apex"), [(None, "web"), ("", "web"), ("www", "www"), ("frontend", "frontend")]
)
def test_the_apex_is_the_service_named_else_the_target(name: str | None, apex: str) -> None:
    assert parsed(name, "spec", "service", "name").apex == apex


@pytest.mark.parametrize(
    ("api_version", "name", "kind"),
    [
        ("apps/v1", "Deployment", kinds.DEPLOYMENT),
        ("apps/v1", "DaemonSet", kinds.DAEMON_SET),
        ("v1", "Service", kinds.SERVICE),
        ("serving.knative.dev/v1", "Service", kinds.KNATIVE_SERVICE),
        # Flagger looks at the kind alone, and for Knative's at exactly this version
        ("serving.knative.dev/v1beta1", "Service", kinds.SERVICE),
        ("core/v1", "Service", kinds.SERVICE),
        (None, "Service", kinds.SERVICE),
        (None, "Deployment", kinds.DEPLOYMENT),
        ("serving.knative.dev/v1", "Deployment", kinds.DEPLOYMENT),
    ],
)
def test_the_workload_is_of_the_kind_that_flagger_takes_it_for(
    api_version: str | None, name: str, kind: Kind
) -> None:
    target = {"apiVersion": api_version, "kind": name, "name": "web"}
    assert parsed(target, "spec", "targetRef").target_kind == kind


@pytest.mark.parametrize("mesh", ["istio", "nginx", "gatewayapi:v1"])
@pytest.mark.parametrize("unset", [None, ""])
def test_a_canary_without_a_provider_has_flaggers(mesh: str, unset: str | None) -> None:
    obj = changed(unset, "spec", "provider")
    assert canary.parse(obj, MeshDefaults(provider=mesh)).provider == mesh


def test_a_canarys_own_provider_wins() -> None:
    obj = changed("nginx", "spec", "provider")
    assert canary.parse(obj, MeshDefaults(provider="istio")).provider == "nginx"


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        (None, 60),
        ("", 60),
        ("30s", 30),
        ("1m30s", 90),
        ("10s", 10),
        ("1s", 10),
        ("500ms", 10),
        ("soon", 60),
        ("30", 60),
        ("99999999999999999999s", 60),
    ],
)
def test_the_interval_is_what_flagger_makes_of_it(interval: str | None, seconds: float) -> None:
    assert parsed(interval, "spec", "analysis", "interval").interval == seconds


MATCH = [{"headers": {"x-canary": {"exact": "insider"}}}]


@pytest.mark.parametrize(
    ("analysis", "deprecated", "ab_test", "interval"),
    [
        (None, {"interval": "20s", "match": MATCH}, True, 20),
        ({"interval": "30s"}, {"interval": "20s", "match": MATCH}, False, 30),
        ({}, {"interval": "20s", "match": MATCH}, False, 60),
        ({"match": MATCH}, None, True, 60),
        ({"match": []}, None, False, 60),
        (None, None, False, 60),
    ],
)
def test_the_deprecated_analysis_counts_where_there_is_no_other(
    analysis: object, deprecated: object, ab_test: bool, interval: float
) -> None:
    obj = changed(analysis, "spec", "analysis")
    spec = obj["spec"]
    assert isinstance(spec, dict)
    read = canary.parse(obj | {"spec": spec | {"canaryAnalysis": deprecated}}, MESH)
    assert (read.ab_test, read.interval) == (ab_test, interval)


@pytest.mark.parametrize(
    ("affinity", "cookies"),
    [
        (None, ()),
        ({}, ()),
        ({"maxAge": 60}, ()),
        ({"cookieName": "c"}, ("c",)),
        ({"cookieName": "", "primaryCookieName": "p"}, ("p",)),
    ],
)
def test_the_cookies_of_session_affinity_are_known(
    affinity: object, cookies: tuple[str, ...]
) -> None:
    assert parsed(affinity, "spec", "analysis", "sessionAffinity").cookies == cookies


@pytest.mark.parametrize(("timestamp", "deleting"), [(None, False), ("2026-11-23T12:00:00Z", True)])
def test_a_canary_with_a_deletion_timestamp_is_being_deleted(
    timestamp: str | None, deleting: bool
) -> None:
    assert parsed(timestamp, "metadata", "deletionTimestamp").deleting is deleting


@pytest.mark.parametrize(
    ("provider", "match", "unweighted"),
    [
        ("kubernetes", [], True),
        ("istio", MATCH, True),
        ("istio", [], False),
        ("nginx", [], False),
    ],
)
def test_no_weight_counts_in_an_ab_test_or_without_a_router(
    provider: str, match: object, unweighted: bool
) -> None:
    obj = changed(match, "spec", "analysis", "match")
    assert canary.parse(obj, MeshDefaults(provider=provider)).unweighted is unweighted


@pytest.mark.parametrize(
    ("phase", "under_way"),
    [
        (None, False),
        ("", False),
        ("Initializing", False),
        ("Initialized", False),
        ("Succeeded", False),
        ("Failed", False),
        ("Waiting", True),
        ("Progressing", True),
        ("WaitingPromotion", True),
        ("Promoting", True),
        ("Finalising", True),
        ("Terminating", True),
        ("SomethingNew", True),
    ],
)
def test_a_rollout_is_under_way_unless_its_phase_is_at_rest(
    phase: str | None, under_way: bool
) -> None:
    assert parsed(phase, "status", "phase").under_way is under_way


def test_a_phase_of_a_newer_flagger_is_unknown() -> None:
    assert parsed("SomethingNew", "status", "phase").phase is Phase.UNKNOWN


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("2026-11-23T12:00:00Z", 1795435200),
        ("2026-11-23T13:00:00+01:00", 1795435200),
        ("0001-01-01T00:00:00Z", -62135596800),
    ],
)
def test_the_last_transition_is_in_seconds_since_the_epoch(
    time: str | None, seconds: float
) -> None:
    assert parsed(time, "status", "lastTransitionTime").last_transition == seconds


# --- brakes

NO_CAP = "annotation lockstep/cap is {!r}, not a whole number from 0 to 100"


@pytest.mark.parametrize(
    ("annotations", "brakes"),
    [
        ({}, Brakes()),
        ({"hold": "true"}, Brakes(hold=True)),
        ({"rollback": "true"}, Brakes(rollback=True)),
        ({"hold": "true", "rollback": "true", "cap": "7"}, Brakes(True, True, 7)),
        ({"hold": "false", "rollback": "false"}, Brakes()),
        ({"hold": "True"}, Brakes()),
        ({"hold": "yes", "rollback": "1"}, Brakes()),
        ({"hold": " true", "rollback": ""}, Brakes()),
        *[({"cap": str(cap)}, Brakes(cap=cap)) for cap in (0, 1, 9, 10, 99, 100)],
        *[
            ({"cap": cap}, Brakes(cap_error=NO_CAP.format(cap)))
            for cap in (
                "",
                "101",
                "-1",
                "ten",
                "10%",
                "10.0",
                "010",
                " 10",
                "10\n",
                "1e1",
                "1٣",
                "9" * 5000,
            )
        ],
    ],
    ids=str,
)
def test_brakes_are_what_the_annotations_say_exactly(
    annotations: dict[str, str], brakes: Brakes
) -> None:
    assert canary.parse(annotated(**annotations), MESH).brakes == brakes


# --- the workload


@pytest.mark.parametrize(
    ("kind", "spec", "runs"),
    [
        (kinds.DEPLOYMENT, {"replicas": 0}, False),
        (kinds.DEPLOYMENT, {"replicas": 1}, True),
        (kinds.DEPLOYMENT, {}, True),
        (kinds.DAEMON_SET, {}, True),
        (kinds.DAEMON_SET, {"replicas": 0}, True),
        (
            kinds.DAEMON_SET,
            {"template": {"spec": {"nodeSelector": {"flagger.app/scale-to-zero": "true"}}}},
            False,
        ),
        (
            kinds.DAEMON_SET,
            {"template": {"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}}}},
            True,
        ),
        # Flagger scales no Service, whatever stands in it
        (kinds.SERVICE, {}, True),
        (kinds.SERVICE, {"replicas": 0}, True),
        (kinds.KNATIVE_SERVICE, {}, True),
        (kinds.KNATIVE_SERVICE, {"replicas": 0}, True),
    ],
)
def test_a_workload_runs_unless_flagger_scaled_it_to_zero(
    kind: Kind, spec: Json, runs: bool
) -> None:
    assert canary.running(kind, {"spec": spec}) is runs


@pytest.mark.parametrize("kind", canary.WORKLOADS, ids=lambda kind: kind.api_version)
def test_a_workload_that_is_gone_does_not_run(kind: Kind) -> None:
    assert canary.running(kind, None) is False


def test_a_malformed_node_selector_is_named() -> None:
    broken = {"spec": {"template": {"spec": {"nodeSelector": ["x"]}}}}
    with pytest.raises(FieldError, match="nodeSelector"):
        canary.running(kinds.DAEMON_SET, broken)


# --- malformed fields


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata", None),
        ("metadata.namespace", None),
        ("metadata.name", ""),
        ("metadata.name", 7),
        ("metadata.uid", 7),
        ("metadata.annotations", ["x"]),
        ("spec", None),
        ("spec.targetRef", None),
        ("spec.targetRef", "web"),
        ("spec.targetRef.name", None),
        ("spec.targetRef.kind", None),
        ("spec.targetRef.kind", "StatefulSet"),
        ("spec.routeRef.name", 1),
        ("spec.provider", 1),
        ("spec.service.name", ["x"]),
        ("spec.ingressRef.name", {}),
        ("spec.analysis.match", "x"),
        ("spec.analysis.match", ["x"]),
        ("spec.analysis.interval", 30),
        ("spec.analysis.sessionAffinity.cookieName", True),
        ("status.phase", 3),
        ("status.lastAppliedSpec", 5),
        ("status.lastTransitionTime", 5),
        ("status.lastTransitionTime", "yesterday"),
        ("status.lastTransitionTime", "2026-11-23T12:00:00"),
        ("status.lastTransitionTime", "0000-00-00T00:00:00Z"),
    ],
)
def test_a_malformed_field_is_named(path: str, value: object) -> None:
    leaf = path.rpartition(".")[2]
    with pytest.raises(FieldError, match=rf"{leaf}\b"):
        parsed(value, *path.split("."))


def test_a_services_version_that_is_no_text_is_named() -> None:
    with pytest.raises(FieldError, match=r"^spec\.targetRef\.apiVersion is 1, not a string"):
        parsed({"kind": "Service", "apiVersion": 1, "name": "web"}, "spec", "targetRef")


def test_an_annotation_that_is_no_text_is_named() -> None:
    with pytest.raises(FieldError, match="lockstep/hold is True, not a string"):
        canary.parse(annotated(hold=True), MESH)


FULL = next(obj for name, obj in recorded("Canary") if name == "deleted-revert" and "status" in obj)


@given(st.sampled_from(list(places(FULL))), junk)
def test_junk_anywhere_in_a_canary_is_at_worst_a_field_error(
    place: tuple[str | int, ...], value: object
) -> None:
    obj = copy.deepcopy(FULL)
    inner: object = obj
    for step in place[:-1]:
        inner = inner[step]  # type: ignore[index]
    inner[place[-1]] = value  # type: ignore[index]
    with contextlib.suppress(FieldError):
        canary.parse(obj, MESH)
