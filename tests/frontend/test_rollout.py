"""A rollout and a rollback, as visitors see them."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.frontend.builds import Builds
from tests.frontend.shop import Shop, route
from tests.frontend.visitors import Visitors, Visits, assert_fair
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

RETURNING, FRESH = 2000, 200
STEPS = [0, 1, 25, 50]


def visitor(visit: Mapping[str, Any]) -> str:
    """The id in its cookie, which keeps an id and a bucket."""
    cookies = {name: cookie["value"] for name, cookie in visit["cookies"]}
    return str(cookies["lockstep"]).partition(".")[0]


def left_canary(visit: Mapping[str, Any], before: str) -> bool:
    """Whether a visitor was on canary and isn't any more, although its number came in time."""
    return (before, visit["cohort"], visit["problems"]) == ("canary", "stable", [])


def test_visitors_are_on_canary_by_the_share_that_is_routed(
    shop: Shop, crowd: Visitors, builds: Builds, tell: Callable[[str], None]
) -> None:
    shop.scale_up()
    before: Mapping[str, str] = {}
    for share in STEPS:
        shop.step(share)
        returning, fresh = crowd.visit(shop.router.url, returning=RETURNING, fresh=FRESH)
        on_canary = returning.in_time.on_canary
        tell(f"share {share} %: {on_canary} of {len(returning.in_time.all)} are on canary")
        for everyone in (returning, fresh):
            assert everyone.broken == []
            visits = everyone.in_time
            assert len(visits.all) > 0.98 * len(everyone.all)  # this machine has other things to do
            assert visits.problems == []
            assert_fair(visits, share)
            assert {it["share"] for it in visits.all} == {share}
            assert visits.editions("stable") == {"Blue shop"}
            assert visits.editions("canary") <= {"Green shop"}
        assert [it for it in returning.all if left_canary(it, before.get(visitor(it), ""))] == []
        before = {visitor(it): it["cohort"] for it in returning.all}
        assert len(before) == RETURNING
    shop.promote(builds.green)
    wait_for(lambda: shop.share() == 0)
    returning, _ = crowd.visit(shop.router.url, returning=RETURNING)
    assert returning.broken == []
    assert returning.on_canary == 0
    assert returning.editions("stable") == {"Green shop"}


def test_five_seconds_after_a_rollback_no_page_uses_the_canary(shop: Shop, crowd: Visitors) -> None:
    shop.scale_up()
    shop.step(50)
    crowd.begin({"url": shop.router.url, "seconds": 9})
    time.sleep(2)
    shop.roll_back()
    rolled_back = time.time()
    visits = Visits(crowd.end()["during"])
    assert visits.broken == []
    assert visits.on_canary > 0
    assert visits.since(rolled_back + 5).on_canary == 0
    assert len(visits.since(rolled_back + 5).all) > 0


def test_a_page_has_a_new_number_within_two_seconds(
    shop: Shop, tell: Callable[[str], None]
) -> None:
    """From the write of the router object to what nginx answers, asked again and again."""
    shop.scale_up()
    took = []
    for number in range(60):
        share = 10 + number % 7
        shop.put(route(share))
        took.append(wait_for(lambda share=share: shop.share() == share))  # type: ignore[misc]
        time.sleep((number * 0.37) % 1)  # so that not all begin where a second does
    p50, p95, p99 = (sorted(took)[math.ceil(len(took) * it) - 1] for it in (0.5, 0.95, 0.99))
    tell(f"router write to a page: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s")
    assert p95 <= 2
