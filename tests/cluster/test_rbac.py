"""Under exactly the rights of manifests/base and manifests/app; with one less, it is named."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.cluster.client import Client, Json
from tests.cluster.controlplane import ControlPlane
from tests.cluster.lab import ROOT, SYSTEM, Replica, application
from tests.cluster.programs import wait_for

pytestmark = pytest.mark.slow

_SHOP = "rbac"
_WHERE = {"name": "frontend", "namespace": _SHOP}
_RBAC = "rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class Shop:
    """A canary at 25 %, its router at 50 %, and a Lockstep that has not been asked yet."""

    client: Client
    replica: Replica

    def hook(self, hook: str) -> tuple[int, str, str]:
        """Status, reason and message of an answer."""
        payload = {"name": "frontend", "namespace": _SHOP, "phase": "Progressing", "checksum": "1"}
        answer = requests.post(f"{self.replica.hooks_url}/{hook}", json=payload, timeout=10)
        document = answer.json()
        return answer.status_code, document["reason"], document["message"]

    def share(self) -> str:
        found = self.client.get("v1", "ConfigMap", _SHOP, "canary-vars")
        return str(found["data"]["CANARY_PERCENTAGE"])

    def routes(self, share: int) -> None:
        """Let the router send another share to the canary."""
        weights = {"frontend-primary": 100 - share, "frontend-canary": share}
        backends = [{"name": name, "port": 80, "weight": it} for name, it in weights.items()]
        route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
        spec = {"rules": [{"backendRefs": backends}]}
        self.client.apply({**route, "metadata": _WHERE, "spec": spec})

    def without(self, role: Json, resource: str, verb: str) -> Json:
        """The role with one verb less; it has taken effect when this returns."""
        less = copy.deepcopy(role)
        for rule in less["rules"]:
            if resource in rule["resources"]:
                # A rule must have a verb; this one gives no right to write.
                rule["verbs"] = [it for it in rule["verbs"] if it != verb] or ["get"]
        self.client.call("PUT", self.client.path(role["apiVersion"], role["kind"],
                         role["metadata"].get("namespace", ""), role["metadata"]["name"]),
                         _unversioned(less))  # fmt: skip
        return less


def _unversioned(obj: Json) -> Json:
    meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": meta}


@pytest.fixture(scope="module")
def shop(plane: ControlPlane) -> Iterator[Shop]:
    client = plane.client()
    plane.kubectl("apply", "-k", str(ROOT / "manifests" / "base"))
    for obj in application(_SHOP):
        client.apply(obj)
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "w", "image": "w"}]},
    }
    workload = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    client.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _WHERE, "spec": workload}
    )
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "frontend"}
    spec = {
        "provider": "gatewayapi:v1", "targetRef": target, "service": {"port": 80},
        "analysis": {"interval": "1m", "threshold": 5, "stepWeight": 25, "maxWeight": 50},
    }  # fmt: skip
    canary = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": _WHERE,
        "spec": spec,
    }
    client.apply(canary)
    status = {
        "phase": "Progressing", "canaryWeight": 0, "failedChecks": 0, "iterations": 0,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    client.patch(canary, {"status": status}, sub="status")
    replica = Replica(plane, "rbac", LOCKSTEP_NAMESPACE=_SHOP)
    made = Shop(client, replica)
    made.routes(25)
    replica.ready(replica.synced)
    wait_for(lambda: made.share() == "25", "the watch has followed the router")
    yield made
    replica.stop()


@pytest.fixture
def roles(shop: Shop) -> Iterator[dict[str, Json]]:
    """The roles as they are granted; put back afterwards."""
    kind = {"apiVersion": _RBAC, "kind": "ClusterRole"}
    reading = kind | shop.client.get(_RBAC, "ClusterRole", "", "lockstep")
    writing = {"apiVersion": _RBAC, "kind": "Role"} | shop.client.get(
        _RBAC, "Role", _SHOP, "lockstep-targets"
    )
    yield {"reading": reading, "writing": writing}
    for role in (reading, writing):
        shop.without(role, "", "")


def test_with_what_is_granted_every_gate_opens(shop: Shop) -> None:
    gates = ("confirm-rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion")
    assert [shop.hook(gate)[:2] for gate in gates] == [
        (200, "Ready"), (200, "Synced"), (200, "InStep"), (200, "InStep"),
    ]  # fmt: skip


@dataclass(frozen=True)
class Missing:
    """A right, and what a gate answers without it; `named` is in the message."""

    role: str
    resource: str
    verb: str
    answer: tuple[int, str]
    named: str


MISSING = [
    Missing("reading", "configmaps", "list", (503, "ClusterForbidden"), 'list resource "configm'),
    Missing("reading", "canaries", "get", (503, "ClusterForbidden"), 'get resource "canaries"'),
    Missing("reading", "deployments", "get", (403, "WorkloadUnreadable"), "deployments.apps"),
    Missing("reading", "httproutes", "get", (403, "RouterUnreadable"), "httproutes.gateway"),
    Missing("writing", "configmaps", "patch", (403, "WriteRefused"), 'configmaps "canary-vars"'),
]


@pytest.mark.parametrize("right", MISSING, ids=lambda it: f"{it.verb} {it.resource}")
def test_the_missing_right_is_named(shop: Shop, roles: dict[str, Json], right: Missing) -> None:
    gate = "confirm-traffic-increase"
    shop.without(roles[right.role], right.resource, right.verb)
    if right.role == "writing":
        shop.routes(50)
    wait_for(lambda: shop.hook(gate)[0] != 200, "the right is gone", 15)
    code, reason, message = shop.hook(gate)
    assert (code, reason) == right.answer
    assert right.named in message
    assert "system:serviceaccount:lockstep-system:lockstep" in message, "who must be granted it"
    shop.without(roles[right.role], "", "")
    wait_for(lambda: shop.hook(gate)[0] == 200, "the right is back", 15)


def test_without_getting_config_maps_it_says_so_and_follows_late(
    shop: Shop, roles: dict[str, Json]
) -> None:
    """A change is followed by a read by name, and the try after it, as a hook, asks by label."""
    shop.without(roles["reading"], "configmaps", "get")
    begin = len(shop.replica.log.read_text())

    def told() -> bool:
        shop.routes(60 if shop.share() != "60" else 40)
        lines = shop.replica.log.read_text()[begin:]
        return 'cannot get resource \\"configmaps\\"' in lines

    wait_for(told, "the log names the right", 20)
    assert "system:serviceaccount:lockstep-system:lockstep" in shop.replica.log.read_text()[begin:]
    shop.routes(35)
    wait_for(lambda: shop.share() == "35", "the next try has followed the router", 15)
    assert shop.hook("confirm-traffic-increase")[0] == 200


def _contact(replica: Replica, resource: str) -> float:
    """When the watch last heard something, in seconds since the epoch; 0 for never."""
    label = f'timestamp_seconds{{resource="{resource}.'
    lines = (it for it in replica.metrics().splitlines() if label in it)
    return max((float(it.rpartition(" ")[2]) for it in lines), default=0.0)


def _hears(replica: Replica, resource: str, change: Callable[[], object]) -> bool:
    begin = time.time()
    change()
    time.sleep(0.5)
    return _contact(replica, resource) >= begin


def _annotates(shop: Shop, value: str) -> None:
    canary = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": _WHERE}
    shop.client.patch(canary, {"metadata": {"annotations": {"note": value}}})


CHANGES: dict[str, Callable[[Shop], list[Callable[[], object]]]] = {
    "httproutes": lambda shop: [partial(shop.routes, share) for share in (40, 60)],
    "canaries": lambda shop: [partial(_annotates, shop, note) for note in ("one", "other")],
}

BLIND = [("canaries", "list"), ("httproutes", "list"), ("httproutes", "watch")]


@pytest.mark.parametrize(("resource", "verb"), BLIND)
def test_without_a_watch_the_log_names_the_right_and_hooks_still_sync(
    plane: ControlPlane, shop: Shop, roles: dict[str, Json], resource: str, verb: str
) -> None:
    shop.without(roles["reading"], resource, verb)
    replica = Replica(plane, f"no-{verb}-{resource}", LOCKSTEP_NAMESPACE=_SHOP)
    named = f'cannot {verb} resource \\"{resource}\\"'
    try:
        wait_for(lambda: replica.log.exists() and named in replica.log.read_text(), named, 20)
        assert "system:serviceaccount:lockstep-system:lockstep" in replica.log.read_text()
        assert Shop(shop.client, replica).hook("confirm-traffic-increase")[0] == 200
        shop.without(roles["reading"], "", "")
        replica.ready(replica.synced)  # the right is asked for again, ever more rarely

        def heard() -> bool:
            """Of two changes in a row: a try that is in vain hears something, too, but rarely."""
            return all(_hears(replica, resource, change) for change in changes)

        changes = CHANGES[resource](shop)
        wait_for(heard, f"the watch of {resource} is healed", 40)
    finally:
        replica.stop()


def test_without_events_it_says_so_and_goes_on(shop: Shop, roles: dict[str, Json]) -> None:
    shop.without(roles["reading"], "events", "create")
    log = Path(shop.replica.log)

    def told() -> bool:
        shop.routes(60 if shop.share() != "60" else 40)
        return 'cannot create resource \\"events\\"' in log.read_text()

    wait_for(told, "the log says that no Event can be made", 20)
    wait_for(lambda: shop.hook("confirm-traffic-increase")[0] == 200, "the gate is open")


def test_a_watch_that_is_forbidden_is_named_by_the_probe(
    plane: ControlPlane, shop: Shop, roles: dict[str, Json]
) -> None:
    """For as long as it is: the pods of before go on."""
    shop.without(roles["reading"], "canaries", "watch")
    replica = Replica(plane, "deaf", LOCKSTEP_NAMESPACE=_SHOP)

    def named() -> bool:
        try:
            answer = requests.get(f"{replica.read_url}/readyz", timeout=5)
        except requests.ConnectionError:
            return False
        return answer.status_code == 503 and "canaries" in answer.text

    try:
        wait_for(named, "the probe names the kind that is not watched")
        wait_for(lambda: "cannot watch resource" in replica.log.read_text(), "and so does the log")
        assert named()
        shop.without(roles["reading"], "", "")
        replica.ready(replica.synced)
    finally:
        replica.stop()


def rights(plane: ControlPlane, account: str) -> set[tuple[str, str, str]]:
    """Resource, name and verb of each thing that an account may do in the shop."""
    client = plane.client(plane.service_account_token(SYSTEM, account))
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    review = client.call("POST", path, {**kind, "spec": {"namespace": _SHOP}})
    return {
        (resource, name, verb)
        for rule in review["status"]["resourceRules"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ["any"])
        for verb in rule["verbs"]
        if not resource.startswith("selfsubject")  # what everybody may ask about himself
    }


@pytest.mark.usefixtures("shop")
def test_a_leaked_token_can_write_the_two_targets_and_events_alone(plane: ControlPlane) -> None:
    granted = rights(plane, "lockstep")
    assert {it for it in granted if it[2] not in ("get", "list", "watch")} == {
        ("events", "any", "create"),
        ("events", "any", "patch"),
        ("configmaps", "canary-vars", "patch"),
        ("configmaps", "canary-settings", "patch"),
    }
    assert ("configmaps", "any", "get") in granted


@pytest.mark.usefixtures("shop")
def test_a_leaked_token_of_the_config_endpoint_can_list_and_watch_configmaps_alone(
    plane: ControlPlane,
) -> None:
    assert rights(plane, "lockstep-config") == {
        ("configmaps", "any", "list"),
        ("configmaps", "any", "watch"),
    }
