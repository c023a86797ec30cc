"""What the demo reads out of the store's revisions."""

import pytest

from webhook import kinds
from webhook.demo.moments import Moment, World
from webhook.demo.objects import Json
from webhook.demo.operator import layout
from webhook.demo.store import Store
from webhook.kinds import Name

WEB = Name("test", "web")
VARS = Name("test", "web-vars")


def named(kind: kinds.Kind, **members: object) -> Json:
    meta = {"namespace": "test", "name": "web"}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **members}


def canary(phase: str = "Progressing", provider: str = "gatewayapi:v1", **meta: object) -> Json:
    spec = {"provider": provider, "targetRef": {"kind": "Deployment", "name": "web"}}
    obj = named(kinds.CANARY, spec=spec, status={"phase": phase})
    return {**obj, "metadata": {"namespace": "test", "name": "web", **meta}}


def route(share: int) -> Json:
    weights = {"web-primary": 100 - share, "web-canary": share}
    backends = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return named(kinds.HTTP_ROUTE, spec={"rules": [{"backendRefs": backends}]})


def workload(replicas: int) -> Json:
    return named(kinds.DEPLOYMENT, spec={"replicas": replicas})


def last(store: Store) -> Moment:
    world = World({WEB: VARS})
    moments: list[Moment] = []
    for revision in store.history():
        moments += [moment for _, moment in world.see(revision)]
    return moments[-1]


@pytest.fixture
def store() -> Store:
    """A canary that is at 25 % everywhere; its workload came before the Canary."""
    store = Store()
    layout(WEB, as_json=False).create(store)
    for obj in (workload(1), canary(), route(25)):
        store.put(obj)
    store.patch(kinds.CONFIG_MAP, VARS, {"data": {"CANARY_PERCENTAGE": "25"}})
    return store


def test_a_moment_has_what_is_routed_and_what_browsers_have(store: Store) -> None:
    moment = last(store)
    assert (moment.phase, moment.routed, moment.client) == ("Progressing", 25, 25)
    assert moment.running
    assert moment.rv == store.history()[-1].rv


def test_each_revision_of_a_part_is_a_moment_and_no_other(store: Store) -> None:
    store.put({**route(50), "metadata": {"namespace": "test", "name": "other"}})
    world = World({WEB: VARS})
    seen = [[it.rv for _, it in world.see(revision)] for revision in store.history()]
    assert [len(rvs) for rvs in seen] == [1, 0, 1, 1, 1, 0]


def test_nothing_is_routed_to_a_workload_without_pods(store: Store) -> None:
    store.put(workload(0))
    assert (last(store).routed, last(store).running) == (0, False)


def test_nothing_is_routed_for_a_canary_that_is_being_deleted(store: Store) -> None:
    store.put(canary(deletionTimestamp="2026-11-23T16:25:50Z"))
    assert (last(store).routed, last(store).running) == (0, True)


def test_nothing_is_routed_for_a_canary_that_is_gone(store: Store) -> None:
    store.delete(kinds.CANARY, WEB)
    moment = last(store)
    assert (moment.phase, moment.routed, moment.client, moment.running) == ("", 0, 25, True)


def test_a_cap_bounds_what_may_be_routed(store: Store) -> None:
    store.put(canary(annotations={"lockstep/cap": "10"}))
    assert last(store).routed == 10


def test_a_target_that_does_not_parse_has_no_share(store: Store) -> None:
    layout(WEB, as_json=False).fill(store, broken=True)
    assert last(store).client is None


@pytest.mark.parametrize("provider", ["apisix", "istio"])
def test_a_router_that_cannot_be_read_has_an_unknown_share(store: Store, provider: str) -> None:
    store.put(named(kinds.VIRTUAL_SERVICE, spec={"http": []}))
    store.put(canary(provider=provider))
    assert last(store).routed is None
