"""Nobody plays a part: Flagger, Flux, Lockstep, nginx and browsers, from a release to its end."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.cluster import flux, proof
from tests.cluster.fixtures import needs_programs
from tests.cluster.lab import ConfigEndpoint, lab
from tests.cluster.law import is_router
from tests.cluster.observer import routed
from tests.cluster.programs import free_port
from tests.cluster.through import Through
from tests.frontend.builds import Builds
from tests.frontend.chromium import Tab, tab, visitor
from tests.frontend.dataplane import DataPlane
from tests.frontend.nginx import Pod
from tests.frontend.programs import need
from tests.frontend.shop import Router
from tests.frontend.visitors import Visitors, Visits, assert_fair, visitors

pytestmark = pytest.mark.slow

BLUE, GREEN = "Blue shop", "Green shop"
SHARES = (25, 50)
BROWSERS = 12
_OLD = 3.0
"""Seconds for which a page may go by a number that was routed: nginx's second, and the page's own
time on a machine that has all of this to do."""

_STEP = 10.0
"""Seconds between two steps of Flagger's."""

_AFTER = 5.0
"""Seconds after a fall from which on no page may be on canary."""


@dataclass(frozen=True)
class Shift:
    """From when on the router sent a share to the canary; seconds since the epoch."""

    at: float
    share: int


@dataclass
class Seen:
    """What visitors saw of a promotion and then of a rollback, and what the router did."""

    visits: Visits = field(default_factory=lambda: Visits([]))
    shifts: list[Shift] = field(default_factory=list)
    opened: list[Tab] = field(default_factory=list)
    """Tabs of before the promotion."""

    def routed(self, begin: float, end: float) -> set[int]:
        """Every share that was routed between two times."""
        after = [*self.shifts[1:], Shift(float("inf"), 0)]
        spans = zip(self.shifts, after, strict=True)
        return {now.share for now, then in spans if now.at <= end and then.at >= begin}

    def given(self, share: int) -> Visits:
        """The page loads that went by a share."""
        return Visits([it for it in self.visits.in_time.all if it["share"] == share])

    def lags(self) -> tuple[float, float]:
        """Seconds from the router's steps up to the last page by the share before, and from its
        steps to 0 to the last page on canary; of each the longest.
        """
        up, down = [0.0], [0.0]
        for before, now in pairwise(self.shifts):
            rising = now.share > before.share
            after = self.visits.in_time.since(now.at).until(now.at + 2 * _AFTER)
            late = [
                it["at"] / 1000 - now.at for it in after.all
                if (it["share"] == before.share if rising else it["cohort"] == "canary")
            ]  # fmt: skip
            (up if rising else down).extend(late)
        return max(up), max(down)

    def falls(self) -> list[Shift]:
        """When the router left the canary."""
        return [now for before, now in pairwise(self.shifts) if now.share < before.share]


@contextmanager
def shop(it: Through, builds: Builds) -> Iterator[Router]:
    """The sample, which Flagger releases by what `it` does; blue is stable."""
    endpoint = ConfigEndpoint(it.lab.plane)
    config = f"{endpoint.url}/config/{it.namespace}/canary-settings.json"
    ports = free_port(), free_port()
    first, second = (f"127.0.0.1:{port}" for port in ports)
    with ExitStack() as stack:
        stack.callback(endpoint.stop)
        endpoint.ready(endpoint.synced)
        primary, canary = (
            stack.enter_context(
                Pod(port=port, site=builds.blue, stable=first, canary=second, config=config)
            )
            for port in ports
        )
        router = stack.enter_context(Router(primary=first, canary=second))
        sites = {"web:1": builds.blue, "web:2": builds.green}
        stack.enter_context(DataPlane(it, sites, primary, canary, router))
        yield router


def everybody(crowd: Visitors, url: str, over: threading.Event) -> list[Visits]:
    """New visitors all the time, until it is over."""
    seen = []
    while not over.is_set():
        crowd.begin({"url": url, "seconds": 2})
        seen.append(Visits(crowd.end()["during"]))
    return seen


def released(it: Through, url: str, browser: Browser, stack: ExitStack) -> list[Tab]:
    """Green is promoted; then blue comes as a canary, and fails its checks. Tabs of in between."""
    it.release("web:2")
    it.shows(50, 120)
    tabs = [tab(stack.enter_context(visitor(browser))) for _ in range(BROWSERS)]
    for shown in tabs:
        shown.open(url)
    it.reaches("Succeeded")
    it.release("web:1")
    it.shows(50, 120)
    it.lab.front.failing.add(it.namespace)
    it.reaches("Failed")
    time.sleep(_AFTER + 2)
    return tabs


def shifts(it: Through) -> Iterator[Shift]:
    """What the router did."""
    epoch, before = time.time() - time.monotonic(), None
    for revision in it.scene.ordered():
        if is_router(revision.kind) and routed(revision.object) != before:
            before = routed(revision.object)
            yield Shift(epoch + revision.at, before)


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, builds: Builds, browser: Browser
) -> Iterator[Seen]:
    needs_programs()
    need("nginx", "envsubst", "node")
    folder: Path = tmp_path_factory.mktemp("whole-way")
    over = threading.Event()
    with ExitStack() as stack:
        made = stack.enter_context(lab(folder, flux=True))
        stack.enter_context(flux.git(made.client))
        stack.callback(flux.start_kustomize_controller(made.plane).stop)
        made.start_replica()
        made.start_replica()
        it = Through(made, "shop")
        it.create()
        router = stack.enter_context(shop(it, builds))
        crowd = stack.enter_context(visitors())
        pool = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(over.set)
        loads = pool.submit(everybody, crowd, router.url, over)
        tabs = released(it, router.url, browser, stack)
        over.set()
        visits = Visits([visit for part in loads.result() for visit in part.all])
        made.settled("shop")
        found = Seen(visits, list(shifts(it)), tabs)
        proof.write("whole-way", proof.rows(_told(found), ("what visitors saw", "")))
        yield found


def _told(seen: Seen) -> dict[str, str]:
    up, down = seen.lags()
    at = {share: seen.given(share) for share in SHARES}
    return {
        "page loads, broken ones": f"{len(seen.visits.all)}, {len(seen.visits.broken)}",
        **{
            f"on canary while {share} % were routed": f"{visits.on_canary} of {len(visits.all)}"
            for share, visits in at.items()
        },
        "last page by the share before, after the router's step up": f"{up:.1f} s",
        "last page on canary, after the router's step to 0": f"{down:.1f} s",
    }


def test_every_page_load_ends_with_an_application(seen: Seen) -> None:
    assert seen.visits.broken == []
    assert len(seen.visits.all) > 1000


def test_no_page_goes_by_more_than_is_routed(seen: Seen) -> None:
    visits = seen.visits.in_time
    assert len(visits.all) > 0.9 * len(seen.visits.all)
    for it in visits.all:
        at = it["at"] / 1000
        assert it["share"] <= max(seen.routed(at - _OLD, at + _OLD)), (it, seen.shifts)


def test_pages_go_by_a_step_before_the_next_one(seen: Seen) -> None:
    up, _ = seen.lags()
    assert up < _STEP


@pytest.mark.parametrize("share", SHARES)
def test_as_many_are_on_canary_as_are_routed(seen: Seen, share: int) -> None:
    visits = seen.given(share)
    assert len(visits.all) > 100
    assert_fair(visits, share)


def test_five_seconds_after_each_fall_nobody_is_on_canary(seen: Seen) -> None:
    promoted, rolled_back = seen.falls()
    for fall in (promoted, rolled_back):
        visits = seen.visits.since(fall.at + _AFTER)
        if fall is promoted:
            visits = visits.until(next(it.at for it in seen.shifts if it.at > fall.at))
        assert len(visits.all) > 0
        assert visits.on_canary == 0


def test_each_cohort_gets_its_build(seen: Seen) -> None:
    """Blue and then green are stable; what was promoted is what comes back after a rollback."""
    promoted, rolled_back = seen.falls()
    first, second = seen.visits.until(promoted.at), seen.visits.since(promoted.at + _AFTER)
    assert first.editions("canary") == {GREEN}
    assert BLUE in first.editions("stable")
    assert second.editions("canary") == {BLUE}
    assert second.editions("stable") == {GREEN}
    assert second.since(rolled_back.at + _AFTER).editions("stable") == {GREEN}


def test_tabs_of_before_the_promotion_still_load_their_chunks(seen: Seen) -> None:
    assert {it.edition for it in seen.opened} == {BLUE, GREEN}
    for shown in seen.opened:
        shown.page.click("#more")
        shown.page.wait_for_selector(f"text=Lamp, from the {shown.edition.lower()}, in stock")
        assert shown.errors == []
