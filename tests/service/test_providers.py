"""Every provider through the real service: what Flagger wrote, and what browsers get."""

import copy
from typing import Any

import pytest

from tests import world
from tests.recorded import FILES, Json, Recorded, read_by, recorded
from tests.service.conftest import Lab, MakeLab
from tests.waiting import wait_for
from webhook import kinds, routers
from webhook.demo.store import Store
from webhook.kinds import Kind, Name
from webhook.targets import LABEL

AT_ONCE = 0.25
"""Seconds within which the watch follows the router: the design's promise."""

WEIGHTED = sorted(name for name in FILES if routers.source(recorded(name).canary))


def placed(scene: Recorded, kind: Kind | None = None) -> Store:
    """A cluster in mid-rollout in which Flagger has yet to make its router object."""
    canary = world.canary() | copy.deepcopy(scene.json)
    kind = kind or scene.canary.target_kind
    canary["spec"]["targetRef"] |= {"apiVersion": kind.api_version, "kind": kind.kind}
    canary["status"] = {"phase": "Progressing", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    name = scene.canary.ref.name
    vars_ = world.variables(0)
    vars_["metadata"]["labels"][LABEL] = name
    store = Store()
    objects = [canary, vars_]
    if kind != kinds.KNATIVE_SERVICE:  # which is the router, too
        objects.append(workload(kind, scene.canary.target))
    for obj in objects:
        store.put(obj)
    return store


def workload(kind: Kind, name: Name, **spec: Any) -> Json:
    metadata = {"name": name.name, "namespace": name.namespace}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": spec,
    }


def steps(scene: Recorded) -> list[tuple[Json, int]]:
    """Each revision of the router, and its share."""
    written = [it.object for it in scene.revisions if read_by(scene.source, it.object)]
    return [(obj, scene.source.share(obj, scene.canary).share) for obj in written]


def follow(lab: Lab, name: str) -> None:
    wait_for(lambda: lab.metric("lockstep_in_step", canary=name) is not None)


@pytest.mark.parametrize("name", WEIGHTED)
def test_browsers_follow_every_step_of_every_provider(make_lab: MakeLab, name: str) -> None:
    scene = recorded(name)
    lab = make_lab(placed(scene), start=True)
    follow(lab, name)
    shares = []
    for obj, share in steps(scene):
        lab.store.put(obj)
        wait_for(lambda: lab.share() == share)  # noqa: B023 - waited for here
        shares.append(lab.share())
    assert max(shares) == (1 if name == "apisix" else 50)  # what was recorded of APISIX ends there
    payload = {"name": name, "namespace": "test", "phase": "Progressing", "checksum": "1"}
    last = steps(scene)[-1][1]
    assert lab.share() == last
    assert lab.hook("confirm-traffic-increase", payload).status_code == 200


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_router_that_says_no_share_keeps_the_number_and_holds_flagger(
    make_lab: MakeLab, name: str
) -> None:
    scene = recorded(name)
    lab = make_lab(placed(scene), start=True)
    follow(lab, name)
    obj, share = next((obj, share) for obj, share in steps(scene) if share)
    lab.store.put(obj)
    wait_for(lambda: lab.share() == share)
    lab.store.put({key: value for key, value in obj.items() if key != "spec"} | {"spec": {}})
    if obj["kind"] == "Ingress":  # whose weights are annotations
        lab.store.put(obj | {"metadata": obj["metadata"] | {"annotations": {}}})
    payload = {"name": name, "namespace": "test", "phase": "Progressing", "checksum": "1"}
    answer = lab.hook("confirm-traffic-increase", payload)
    assert answer.status_code == 403
    assert answer.get_json()["reason"] == "RouterUnreadable"
    assert lab.share() == share


# --- Kuma's object is in no namespace


def kuma() -> tuple[Recorded, Json]:
    scene = recorded("kuma")
    return scene, next(obj for obj, share in steps(scene) if share == 25)


def test_a_cluster_scoped_router_is_followed_where_one_namespace_is_watched(
    make_lab: MakeLab,
) -> None:
    scene, at_25 = kuma()
    lab = make_lab(placed(scene), start=True, namespace="test")
    follow(lab, "kuma")
    lab.store.put(at_25)
    assert wait_for(lambda: lab.share() == 25) < AT_ONCE


def test_a_router_that_outlives_its_canary_counts_for_nothing(make_lab: MakeLab) -> None:
    scene, at_25 = kuma()
    lab = make_lab(placed(scene), start=True)
    lab.store.put(at_25)
    wait_for(lambda: lab.share() == 25)
    canary = lab.store.delete(kinds.CANARY, scene.canary.ref)
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE
    # Back again, the workload at 0 as Flagger leaves it: what is left of the router is no share.
    lab.store.put(workload(kinds.DEPLOYMENT, scene.canary.target, replicas=0))
    lab.store.put(canary)
    follow(lab, "kuma")
    assert lab.share() == 0
    lab.store.put(workload(kinds.DEPLOYMENT, scene.canary.target, replicas=1))
    assert wait_for(lambda: lab.share() == 25) < AT_ONCE


# --- workloads


def test_a_daemon_set_that_flagger_scales_to_zero_is_followed(make_lab: MakeLab) -> None:
    scene, at_25 = kuma()
    lab = make_lab(placed(scene, kinds.DAEMON_SET), start=True)
    lab.store.put(at_25)
    wait_for(lambda: lab.share() == 25)
    nowhere = {"spec": {"nodeSelector": {"flagger.app/scale-to-zero": "true"}}}
    lab.store.put(workload(kinds.DAEMON_SET, scene.canary.target, template=nowhere))
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE


def test_a_service_runs_until_it_is_gone(make_lab: MakeLab) -> None:
    scene = recorded("gw1")
    lab = make_lab(placed(scene, kinds.SERVICE), start=True)
    lab.store.put(next(obj for obj, share in steps(scene) if share == 25))
    wait_for(lambda: lab.share() == 25)
    lab.store.delete(kinds.SERVICE, scene.canary.target)
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE


def test_a_knative_service_is_workload_and_router_in_one(make_lab: MakeLab) -> None:
    scene = recorded("knative")
    lab = make_lab(placed(scene), start=True)
    lab.store.put(next(obj for obj, share in steps(scene) if share == 25))
    wait_for(lambda: lab.share() == 25)
    lab.store.delete(kinds.KNATIVE_SERVICE, scene.canary.target)
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE
