"""The same rules on what a cluster says of itself."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.healthy import Json, Place
from webhook.cluster import Listing
from webhook.deadline import Deadline
from webhook.doctor import live
from webhook.doctor.snapshot import Snapshot
from webhook.doctor.table import examine
from webhook.doctor.world import world
from webhook.errors import ForbiddenError, NotFoundError
from webhook.kinds import Selection

OWNER = {
    "kustomize.toolkit.fluxcd.io/name": "settings",
    "kustomize.toolkit.fluxcd.io/namespace": "shop",
}
SETTINGS, VARS = "ConfigMap/canary-settings", "ConfigMap/canary-vars"


@dataclass
class Cluster:
    """A cluster that lists objects, in memory."""

    objects: list[Json]
    forbidden: set[str] = field(default_factory=set)
    unserved: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def list(self, selection: Selection, deadline: Deadline) -> Listing:
        del deadline
        self.asked.append(str(selection))
        if selection.kind.plural in self.forbidden:
            raise ForbiddenError(f"list {selection}: forbidden")
        if selection.kind.plural in self.unserved:
            raise NotFoundError(f"list {selection}: not found")
        kind = (selection.kind.api_version, selection.kind.kind)
        found = (it for it in self.objects if (it["apiVersion"], it["kind"]) == kind)
        here = (it for it in found if selection.namespace in ("", it["metadata"].get("namespace")))
        return Listing(tuple(here), "1")


def running(*changes: Callable[[Place], None]) -> Cluster:
    """The healthy place, applied, with a rollout at 25 %."""
    place = Place()
    for key, value in OWNER.items():
        place.label(SETTINGS, key, value)
    place.set("ConfigMap/canary-vars", "data.CANARY_PERCENTAGE", "25")
    place.get(SETTINGS)["data"]["config.json"] = '{"CANARY_PERCENTAGE": 25}'
    entries = [{"id": "shop_canary-settings__ConfigMap", "v": "v1"}]
    place.set("Kustomization/settings", "status", {"inventory": {"entries": entries}})
    for change in changes:
        change(place)
    for _, obj in place.objects:
        obj["metadata"]["resourceVersion"] = "7"
    return Cluster([obj for _, obj in place.objects])


def found(cluster: Cluster, namespace: str = "") -> list[str]:
    reading = live.read(cluster, namespace, Deadline.after(5))
    assert reading.unread == []
    return [it.rule for it in examine(world(Snapshot(tuple(reading.items), live=True)))]


def test_a_healthy_cluster_in_mid_rollout_has_no_findings() -> None:
    assert found(running()) == []


def foreign(place: Place) -> None:
    place.get("Kustomization/settings")["status"]["inventory"]["entries"].append(
        {"id": "shop_frontend_apps_Deployment", "v": "v1"}
    )


def written_by_both(place: Place) -> None:
    place.annotate(SETTINGS, "lockstep/mode", None)


def applied_by_flux(place: Place) -> None:
    place.annotate(VARS, "kustomize.toolkit.fluxcd.io/ssa", None)


def unnamed(place: Place) -> None:
    place.label(SETTINGS, "lockstep/canary", "gone")


def without_a_variable(place: Place) -> None:
    place.remove(VARS)
    place.set("Role/targets", "rules.0.resourceNames", ["canary-settings"])


def not_filled_in(place: Place) -> None:
    place.set(SETTINGS, "data", {"CANARY_PERCENTAGE": "${CANARY_PERCENTAGE:=0}"})


def without_rights(place: Place) -> None:
    place.remove("RoleBinding/targets")


CASES: list[tuple[Callable[[Place], None], list[str]]] = [
    (foreign, ["foreign-objects"]),
    (written_by_both, ["two-writers"]),
    (applied_by_flux, ["flux-resets"]),
    (without_rights, ["no-patch-right"] * 2),
    (unnamed, ["unknown-canary"]),
    (without_a_variable, ["no-write-target"]),
    (not_filled_in, ["target-invalid"]),
]


@pytest.mark.parametrize(("change", "rules"), CASES)
def test_a_cluster_in_which_something_is_wrong(
    change: Callable[[Place], None], rules: list[str]
) -> None:
    assert found(running(change)) == rules


def test_configmaps_are_read_where_there_are_canaries_only() -> None:
    cluster = running()
    found(cluster)
    assert [it for it in cluster.asked if "configmaps" in it] == ["configmaps in shop"]


def test_one_namespace_is_read_and_what_is_bound_cluster_wide() -> None:
    cluster = running()
    assert found(cluster, "shop") == []
    assert {it.partition(" ")[2] for it in cluster.asked} == {"in shop", ""}


def test_a_kind_that_the_cluster_does_not_serve_is_one_that_nobody_uses() -> None:
    cluster = running()
    cluster.unserved = {"kustomizations", "helmreleases"}
    assert found(cluster) == []


def test_what_may_not_be_read_is_told() -> None:
    cluster = running()
    cluster.forbidden = {"clusterroles", "roles"}
    reading = live.read(cluster, "shop", Deadline.after(5))
    assert reading.unread == ["list roles in shop: forbidden", "list clusterroles: forbidden"]
