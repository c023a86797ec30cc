"""The observer and the judge of tests/cluster: a blind one would find no violation."""

from itertools import groupby

import pytest

from tests import world
from tests.cluster.law import is_router, judge
from tests.cluster.observer import Revision, routed
from tests.recorded import FILES, recorded
from webhook.kinds import Name

RECORDED = [name for name, file in FILES.items() if file.parent.name == "router-objects"]

STEPS = [0, 1, 25, 50, 0]
OTHERS = {"apisix": [0, 1], "gw1ab": [0], "istiomir": [0, 25, 50, 0], "nginxab": [0]}
"""Percent; two are A/B tests, one mirrors first, and the recording of one breaks off."""


@pytest.mark.parametrize("name", RECORDED)
def test_the_observer_sees_each_step_of_a_router(name: str) -> None:
    routers: dict[str, int] = {}
    seen = []
    for it in recorded(name).revisions:
        if is_router(it.object["kind"]):
            routers[f"{it.object['kind']}/{it.object['metadata']['name']}"] = routed(it.object)
            seen.append(max(routers.values()))
    assert [share for share, _ in groupby(seen)] == OTHERS.get(name, STEPS)


MS = 0.001


def stored(*objects: tuple[float, world.Json]) -> list[Revision]:
    """Revisions of the objects in this order, each heard of after so many milliseconds."""
    return [Revision(rv, at * MS, "MODIFIED", obj) for rv, (at, obj) in enumerate(objects, 1)]


def running(replicas: int) -> world.Json:
    """The workload, under the name that rollouts in tests/cluster have."""
    obj = world.deployment(replicas)
    return obj | {"metadata": obj["metadata"] | {"name": "frontend"}}


START = [(0.0, world.canary()), (0.0, running(1)), (0.0, world.variables(0))]


def test_a_judge_sees_nothing_wrong_where_clients_rise_after_and_fall_before() -> None:
    seen = judge(
        stored(
            *START,
            (100.0, world.route(25)), (140.0, world.variables(25)),
            (900.0, world.variables(0)), (950.0, world.route(0)),
            (960.0, running(0)),
        )
    )  # fmt: skip
    assert (seen.above.revisions, seen.idle.revisions) == (0, 0)
    assert seen.raises == pytest.approx((40.0,))
    assert seen.leads == pytest.approx((50.0,))
    assert seen.lags == ()
    assert (seen.peak, seen.changes, seen.end.client) == (25, 2, 0)


def test_a_judge_sees_clients_that_rise_first() -> None:
    seen = judge(stored(*START, (100.0, world.variables(25)), (130.0, world.route(25))))
    assert (seen.above.revisions, round(seen.above.longest)) == (1, 30)


def test_a_judge_sees_clients_that_fall_too_late() -> None:
    rise = [(100.0, world.route(25)), (140.0, world.variables(25))]
    late = [(200.0, world.route(0)), (210.0, running(0)), (290.0, world.variables(0))]
    seen = judge(stored(*START, *rise, *late))
    assert (seen.above.revisions, round(seen.above.longest)) == (2, 90)
    assert (seen.idle.revisions, round(seen.idle.longest)) == (1, 80)
    assert seen.lags == pytest.approx((90.0,))


def test_a_judge_takes_the_highest_of_two_targets() -> None:
    more = world.variables(50, Name("test", "more"))
    seen = judge(stored(*START, (0.0, world.route(25)), (5.0, world.variables(25)), (9.0, more)))
    assert (seen.above.revisions, seen.end.agree) == (1, False)
