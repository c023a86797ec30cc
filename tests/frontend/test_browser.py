"""The sample in a real browser: Debian's Chromium, nginx, Lockstep and the API server."""

import base64
import hashlib
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.frontend.builds import Builds
from tests.frontend.chromium import Tab, tab, visitor
from tests.frontend.programs import FRONTEND
from tests.frontend.shop import Shop
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

CONTEXTS = 40
BLUE, GREEN = "Blue shop", "Green shop"
EDITIONS = {"stable": BLUE, "canary": GREEN}
LOADER = "assets/loader-4F3A.js"


@pytest.fixture
def half(shop: Shop) -> Shop:
    """Half of the visitors are on canary."""
    shop.scale_up()
    shop.step(50)
    return shop


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with visitor(browser) as context:
        yield context


def opened(context: BrowserContext, url: str) -> Tab:
    shown = tab(context)
    shown.open(url)
    return shown


def in_time(context: BrowserContext, url: str, share: int) -> Tab:
    """A page that had its number within 300 ms, for which this machine may be too busy."""
    for _ in range(10):
        shown = opened(context, url)
        if shown.lockstep["share"] == share:
            return shown
        shown.page.close()
    raise AssertionError("no page had its number in time")


def on(cohort: str, browser: Browser, url: str, stack: ExitStack) -> Tab:
    """A visitor who was drawn into a cohort, not forced."""
    for _ in range(60):
        shown = opened(stack.enter_context(visitor(browser)), url)
        if shown.lockstep["cohort"] == cohort:
            return shown
    raise AssertionError(f"nobody of 60 is on {cohort}")


def test_browsers_follow_a_whole_rollout(shop: Shop, browser: Browser, builds: Builds) -> None:
    shop.scale_up()
    with ExitStack() as stack:
        contexts = [stack.enter_context(visitor(browser)) for _ in range(CONTEXTS)]
        before: set[int] = set()
        for share in (0, 1, 25, 50):
            shop.step(share)
            now = set()
            for number, context in enumerate(contexts):
                shown = in_time(context, shop.router.url, share)
                cohort = shown.lockstep["cohort"]
                assert (shown.edition, shown.errors) == (EDITIONS[cohort], [])
                shown.page.close()
                now |= {number} if cohort == "canary" else set()
            p = share / 100
            assert abs(len(now) - CONTEXTS * p) <= 4.9 * math.sqrt(CONTEXTS * p * (1 - p))
            assert before <= now
            before = now
        shop.promote(builds.green)
        wait_for(lambda: shop.share() == 0)
        for context in contexts:
            shown = opened(context, shop.router.url)
            assert (shown.edition, shown.lockstep["cohort"]) == (GREEN, "stable")


def test_after_a_rollback_the_next_page_is_stable(half: Shop, browser: Browser) -> None:
    with ExitStack() as stack:
        shown = on("canary", browser, half.router.url, stack)
        half.roll_back()
        wait_for(lambda: half.share() == 0)
        assert shown.edition == GREEN  # the page that is open stays what it is
        shown.page.reload()
        shown.started()
        assert (shown.edition, shown.lockstep["cohort"]) == (BLUE, "stable")


def test_an_open_tab_learns_of_a_kill_switch_within_a_minute(half: Shop, browser: Browser) -> None:
    with ExitStack() as stack:
        shown = on("canary", browser, half.router.url, stack)
        half.route(0)
        began = time.monotonic()
        shown.page.wait_for_selector("#reload", timeout=60_000)
        assert time.monotonic() - began < 60
        assert (shown.edition, shown.lockstep["killed"]) == (GREEN, True)
        shown.page.click("#reload a")
        shown.page.wait_for_selector("text=Blue shop")


def test_tabs_that_were_open_before_a_promotion_still_load_their_chunks(
    half: Shop, browser: Browser, builds: Builds
) -> None:
    with ExitStack() as stack:
        tabs = {it: on(it, browser, half.router.url, stack) for it in EDITIONS}
        half.promote(builds.green)
        for cohort, shown in tabs.items():
            shown.page.click("#more")
            shop_name = EDITIONS[cohort].lower()
            shown.page.wait_for_selector(f"text=Lamp, from the {shop_name}, in stock")
            assert shown.errors == []


def test_a_wish_lasts_as_long_as_the_browser(half: Shop, context: BrowserContext) -> None:
    url = half.router.url
    opened(context, f"{url}/?canary=always")
    shown = opened(context, url)
    assert (shown.edition, shown.lockstep["reason"]) == (GREEN, "forced")
    cookies = {it["name"]: it for it in context.cookies()}
    assert cookies["lockstep-force"]["expires"] == -1
    assert cookies["lockstep"]["expires"] > time.time() + 30 * 86400
    assert cookies["lockstep"]["value"].endswith(f".{shown.lockstep['bucket']}")
    shown = opened(context, f"{url}/?canary=auto")
    assert shown.lockstep["reason"] == "share"


def test_flags_reach_the_application(half: Shop, context: BrowserContext) -> None:
    shown = in_time(context, half.router.url, 50)
    assert shown.lockstep["flags"] == {"newCheckout": True}
    assert shown.title.endswith(" with the new checkout")


def test_only_one_object_is_left_behind(half: Shop, context: BrowserContext) -> None:
    shown = opened(context, half.router.url)
    found = shown.page.evaluate(
        """() => {
            const frame = document.createElement("iframe");
            document.body.append(frame);
            const empty = new Set(Object.keys(frame.contentWindow));
            return Object.keys(window).filter((it) => !empty.has(it) && isNaN(it));
        }"""
    )
    assert found == ["lockstep"]


def test_a_browser_without_javascript_modules_from_a_build_is_told(
    half: Shop, context: BrowserContext
) -> None:
    """Neither build can be loaded: the page says so, and the report is in nginx's log."""
    context.route("**/entry.js*", lambda route: route.abort())
    shown = tab(context)
    shown.page.goto(half.primary.url)
    shown.page.wait_for_selector("text=We can't show the shop right now.")
    wait_for(lambda: '"problem":"stable"' in half.primary.log())


def test_the_loader_may_be_a_file_with_its_hash(
    half: Shop, browser: Browser, context: BrowserContext, builds: Builds
) -> None:
    """The page is the canary's, and all else is asked of the primary, which lacks this loader."""
    site = builds.folder / f"file-{half.namespace}"
    with_loader_as_file(builds.green, site)
    half.canary.show(site)
    half.router.route(100)
    url = half.router.url
    wait_for(lambda: "integrity" in half.session.get(url, timeout=5).text)
    shown = opened(context, url)
    assert shown.edition in {BLUE, GREEN}
    assert shown.errors == []
    (site / LOADER).write_text("window.started = true")
    with visitor(browser) as other:
        shown = tab(other)
        shown.page.goto(url)
        wait_for(lambda: any("integrity" in it for it in shown.errors))
        assert shown.page.evaluate("window.started") is None


def with_loader_as_file(site: Path, out: Path) -> None:
    loader = FRONTEND / "dist/loader.min.js"
    shutil.copytree(site, out)
    digest = base64.b64encode(hashlib.sha384(loader.read_bytes()).digest()).decode()
    (out / LOADER).write_bytes(loader.read_bytes())
    inline = f'<script nonce="%NONCE%" data-report="/lockstep/report">{loader.read_text().strip()}'
    page = (out / "index.html").read_text()
    assert inline in page
    attributes = f'src="/stable/{LOADER}" integrity="sha384-{digest}"'
    file = f'<script {attributes} data-report="/lockstep/report">'
    (out / "index.html").write_text(page.replace(inline, file))
