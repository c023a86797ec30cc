"""What the demo shows in browsers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser

from tests import world
from tests.frontend.chromium import chromium
from tests.frontend.cluster import ours
from tests.frontend.lockstep import running
from tests.frontend.programs import FRONTEND, built, need, node
from webhook.demo.site import Site

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "webhook/demo/data/site"
GENERATED = ["stable", "canary", "bucket.js"]


def files(folder: Path) -> dict[str, bytes]:
    found = [it for name in GENERATED for it in (folder / name, *(folder / name).rglob("*"))]
    return {str(it.relative_to(folder)): it.read_bytes() for it in found if it.is_file()}


def test_the_site_in_git_is_what_the_sample_and_the_loader_make(tmp_path: Path) -> None:
    need("node", "npm")
    built()
    node(FRONTEND / "build-demo.mjs", str(tmp_path))
    assert files(DATA) == files(tmp_path)  # else: node frontend/build-demo.mjs <DATA>


def test_it_serves_the_shop_the_builds_and_the_numbers(tmp_path: Path) -> None:
    targets = {"one": world.SETTINGS, "two": world.VARS}
    with ours(tmp_path) as cluster:
        cluster.put(world.settings(25))
        with (
            running("serve-config", cluster.kubeconfig, tmp_path) as endpoint,
            Site(f"http://{endpoint.config}", targets) as site,
        ):
            numbers = requests.get(f"{site.url}numbers.json", timeout=5).json()
            assert numbers["one"]["CANARY_PERCENTAGE"] == 25
            assert numbers["two"] == {"CANARY_PERCENTAGE": 0, "CANARY_RELEASE": "none"}
            document = requests.get(f"{site.url}config/one.json", timeout=5)
            assert document.text == world.settings(25)["data"]["config.json"]
            page = requests.get(f"{site.url}shop/one", timeout=5)
            assert 'data-config="/config/one.json"' in page.text
            entry = requests.get(f"{site.url}canary/entry.js", timeout=5)
            assert entry.headers["Content-Type"] == "text/javascript"
            assert entry.headers["Cache-Control"] == "no-store"
            for path in ("shop/three", "config/three.json", "../site.py", "canary/none.js"):
                assert requests.get(f"{site.url}{path}", timeout=5).status_code == 404


@pytest.fixture
def browser() -> Iterator[Browser]:
    need("chromium")
    with chromium() as browser:
        yield browser


def test_one_can_watch_visitors_move_to_the_canary_and_back(browser: Browser) -> None:
    arguments = ["--scenario", "success", "--speed", "4"]
    with subprocess.Popen(
        [sys.executable, "-m", "webhook", "demo", *arguments],
        stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]},
    ) as demo:  # fmt: skip
        assert demo.stdout
        told = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in demo.stdout)
        url = next(it[0] for it in told if it)
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#success i.canary", timeout=60_000)
        shop = page.frame_locator("#shop").locator("#edition")
        assert shop.inner_text(timeout=20_000) in {"Blue shop", "Green shop"}
        page.wait_for_function("() => !document.querySelector('#success i.canary')", timeout=60_000)
        rest, _ = demo.communicate(timeout=60)
        page.wait_for_selector("text=The demo is over", timeout=10_000)
        page.wait_for_timeout(3500)  # it is loaded anew every 3 s, and isn't any more
        assert shop.inner_text() == "Blue shop"
    assert demo.returncode == 0, json.dumps(rest)
