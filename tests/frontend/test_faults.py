"""Nobody ever gets an application that doesn't start. Page loads are counted, and broken ones."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.frontend import faults
from tests.frontend.chromium import tab, visitor
from tests.frontend.faults import Fault
from tests.frontend.shop import Shop
from tests.frontend.visitors import Visitors, Visits
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

SECONDS = 6
BROWSERS = 4
GREEN = "Green shop"
BLUE = "Blue shop"


@pytest.fixture
def rolled_out(shop: Shop) -> Iterator[Shop]:
    """Half of the visitors are on canary."""
    shop.scale_up()
    shop.step(50)
    yield shop
    shop.cluster.go_on()


def under_load(shop: Shop, crowd: Visitors, fault: Fault, url: str) -> tuple[Visits, float]:
    """Page loads before, while and after it goes wrong; and when it had gone wrong."""
    crowd.begin({"url": url, "seconds": SECONDS})
    time.sleep(SECONDS / 3)
    fault(shop)
    at = time.time()
    return Visits(crowd.end()["during"]), at


@pytest.mark.parametrize("fault", faults.CANARY)
def test_a_canary_that_does_not_work_leaves_everybody_with_stable(
    rolled_out: Shop, crowd: Visitors, browser: Browser, fault: str, tell: Callable[[str], None]
) -> None:
    # Half of the pages would come from the canary's pods, and where those don't answer it is the
    # router's to notice; so these pages come from the primary's.
    url = rolled_out.primary.url
    visits, at = under_load(rolled_out, crowd, faults.CANARY[fault], url)
    tell(f"{fault}: {len(visits.all)} page loads, {len(visits.broken)} broken")
    assert visits.broken == []
    assert visits.editions("canary") == {GREEN}
    late = visits.since(at + 1)
    assert late.on_canary == 0
    assert late.editions("stable") == {BLUE}
    for _ in range(BROWSERS):
        with visitor(browser) as context:
            shown = tab(context)
            shown.open(f"{url}/?canary=always")  # so that each of them tries
            assert shown.edition == BLUE
            assert "half" not in shown.page.inner_text("body")
            assert shown.lockstep["reason"] == "broken"


@pytest.mark.parametrize("fault", faults.AROUND)
def test_whatever_is_down_around_it_everybody_gets_an_application(
    rolled_out: Shop, crowd: Visitors, browser: Browser, fault: str, tell: Callable[[str], None]
) -> None:
    url = rolled_out.primary.url
    visits, _ = under_load(rolled_out, crowd, faults.AROUND[fault], url)
    tell(f"{fault}: {len(visits.all)} page loads, {len(visits.broken)} broken")
    assert visits.broken == []
    for _ in range(BROWSERS):
        with visitor(browser) as context:
            shown = tab(context)
            shown.open(url)
            assert shown.edition in {BLUE, GREEN}
            assert shown.errors == []


@pytest.mark.parametrize(
    "fault", ["the config endpoint is down", "the API server is down", "the ConfigMap is broken"]
)
def test_without_a_number_to_go_by_nobody_is_on_canary_after_a_while(
    rolled_out: Shop, crowd: Visitors, fault: str
) -> None:
    """15 s for a watch to be silent, and 15 s in which nginx bridges."""
    faults.AROUND[fault](rolled_out)
    took = wait_for(lambda: rolled_out.share() == 0, 35)
    visits, _ = crowd.visit(rolled_out.primary.url, fresh=0, returning=50)
    assert (visits.broken, visits.on_canary) == ([], 0)
    assert took < 32
