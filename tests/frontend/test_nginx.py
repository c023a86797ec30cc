"""What frontend/nginx serves: Debian's nginx, the sample's builds, and the real `serve-config`."""

import json
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import world
from tests.cluster.programs import free_port
from tests.frontend.builds import Builds
from tests.frontend.cluster import Ours, ours
from tests.frontend.lockstep import Lockstep, running
from tests.frontend.nginx import Pod
from tests.frontend.programs import need
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

FOREVER = "public, max-age=31536000, immutable"
CONFIG = "/config/canary.json"
WHERE = "/config/test/canary-settings.json"
SCRIPT = "application/javascript; charset=utf-8"


@dataclass
class Pods:
    """The primary's and the canary's nginx, each of which knows both."""

    primary: Pod
    canary: Pod
    mounted: Path

    def both(self) -> tuple[Pod, Pod]:
        return self.primary, self.canary


@pytest.fixture(scope="module")
def mounted() -> Iterator[Path]:
    """Where the ConfigMap would be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="mounted-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "config.json").write_text('{"CANARY_PERCENTAGE": 99, "FEATURE_FLAGS": {"old": true}}')
    yield folder
    shutil.rmtree(folder)


@contextmanager
def pods(
    primary: Path, canary: Path, mounted: Path, config: str = "http://127.0.0.1:1/"
) -> Iterator[Pods]:
    need("nginx", "envsubst")
    ports = free_port(), free_port()
    known: dict[str, Any] = {
        "stable": f"127.0.0.1:{ports[0]}",
        "canary": f"127.0.0.1:{ports[1]}",
        "config": config,
        "mounted": mounted,
    }
    with (
        Pod(port=ports[0], site=primary, **known) as first,
        Pod(port=ports[1], site=canary, **known) as second,
    ):
        yield Pods(first, second, mounted)


@pytest.fixture(scope="module")
def pair(builds: Builds, mounted: Path) -> Iterator[Pods]:
    with pods(builds.blue, builds.green, mounted) as pair:
        yield pair


def get(pod: Pod, path: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(pod.url + path, timeout=5)


def asset(site: Path, name: str) -> str:
    """A hashed file of a build itself, by the name that it had in the source."""
    own = json.loads((site / "releases.json").read_text())[0]
    (found,) = (it for it in own if it.startswith(f"{name}-"))
    return f"assets/{found}"


PAGES = [
    "/", "/index.html", "/shop/lamps", "/?canary=never", "/stable/index.html", "/own/index.html",
    "/legal.html",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_the_page_is_never_stored_and_its_scripts_are_allowed_by_a_nonce(
    pair: Pods, path: str
) -> None:
    page = get(pair.primary, path)
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    nonces = re.findall(r'<script nonce="([0-9a-f]{32})"', page.text)
    assert len(nonces) == 2
    assert {f"'nonce-{it}'" for it in nonces} == set(
        re.findall(r"'nonce-\w+'", page.headers["Content-Security-Policy"])
    )
    assert nonces[0] not in get(pair.primary, path).text


def test_another_page_of_a_site_is_under_the_same_policy(builds: Builds, mounted: Path) -> None:
    site = builds.folder / "with-terms"
    shutil.copytree(builds.blue, site)
    (site / "terms.html").write_text('<script nonce="%NONCE%">terms</script>')
    with pods(site, builds.green, mounted) as pair:
        page = get(pair.primary, "/terms.html")
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    (nonce,) = re.findall(r'<script nonce="([0-9a-f]{32})">terms', page.text)
    assert f"'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
    shutil.rmtree(site)


def test_a_module_may_be_called_mjs(builds: Builds, mounted: Path) -> None:
    """As workers of some libraries are; nginx's own list of types lacks it."""
    site = builds.folder / "with-worker"
    shutil.copytree(builds.blue, site)
    (site / "assets/worker-4F3A.mjs").write_text("export default 1;")
    with pods(site, builds.green, mounted) as pair:
        assert get(pair.canary, "/stable/assets/worker-4F3A.mjs").headers["Content-Type"] == SCRIPT
    shutil.rmtree(site)


def test_each_build_is_under_its_own_path_whichever_pod_is_asked(
    pair: Pods, builds: Builds
) -> None:
    for pod in pair.both():
        for path, site in (("stable", builds.blue), ("canary", builds.green)):
            entry = get(pod, f"/{path}/entry.js")
            assert entry.text == (site / "entry.js").read_text()
            assert entry.headers["Content-Type"] == SCRIPT
            assert entry.headers["Cache-Control"] == "no-store"
            app = get(pod, f"/{path}/{asset(site, 'app')}")
            assert app.content == (site / asset(site, "app")).read_bytes()
            assert app.headers["Content-Type"] == SCRIPT
            assert app.headers["Cache-Control"] == FOREVER


def test_a_chunk_that_one_build_lacks_is_looked_for_in_the_other(
    pair: Pods, builds: Builds
) -> None:
    """The blue build knows nothing of green's files, whatever path they are asked for under."""
    green = asset(builds.green, "details")
    for pod in pair.both():
        for path in ("stable", "canary"):
            found = get(pod, f"/{path}/{green}")
            assert (found.status_code, found.headers["Cache-Control"]) == (200, FOREVER)


MISSING = [
    "/stable/assets/app-XXXXXXXX.js",
    "/canary/assets/app-XXXXXXXX.js",
    "/own/assets/app-XXXXXXXX.js",
    "/stable/other.js",
    "/canary/other.css",
    "/own/other.js",
    "/assets/app-XXXXXXXX.js",
    "/favicon.ico",
    "/shop/lamps.js",
    "/stable/",
    "/canary/",
    "/own/",
]


@pytest.mark.parametrize("path", MISSING)
def test_a_missing_file_is_404_is_not_stored_and_is_no_page(pair: Pods, path: str) -> None:
    for pod in pair.both():
        answer = get(pod, path)
        assert answer.status_code == 404
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path", ["/own/..%2f..%2f..%2fetc/passwd", "/stable/assets/..%2f..%2f..%2fetc/passwd"]
)
def test_nothing_outside_the_site_is_served(pair: Pods, path: str) -> None:
    assert get(pair.primary, path).status_code == 400


BREAKS = [
    "/stable/x%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/own/entry.js",
    "/stable/x%0ay",
    "/canary/x%0ay",
    "/stable/assets/x%0ay.js",
    "/canary/assets/x%0ay.js",
]


@pytest.mark.parametrize("path", BREAKS)
def test_a_line_break_in_a_path_makes_no_request_of_its_own(pair: Pods, path: str) -> None:
    """Nor does a pod ask itself, and so again and again till it has no connection left."""
    for pod in pair.both():
        assert get(pod, path).status_code == 404
        assert "worker_connections are not enough" not in pod.log()


def test_without_a_canary_its_entry_is_404_at_once(pair: Pods, builds: Builds) -> None:
    pair.canary.stop()
    try:
        began = time.monotonic()
        assert get(pair.primary, "/canary/entry.js").status_code == 404
        assert get(pair.primary, f"/canary/{asset(builds.green, 'app')}").status_code == 404
        assert get(pair.primary, f"/canary/{asset(builds.blue, 'app')}").status_code == 200
        assert time.monotonic() - began < 1
    finally:
        pair.canary.start()


def test_after_a_promotion_chunks_of_both_builds_are_still_there(
    builds: Builds, mounted: Path
) -> None:
    """Flagger has made the primary of the canary's image, and the canary has no pod."""
    with pods(builds.green, builds.green, mounted) as pair:
        pair.canary.stop()
        old_tab = get(pair.primary, f"/stable/{asset(builds.blue, 'details')}")
        canary_tab = get(pair.primary, f"/canary/{asset(builds.green, 'details')}")
        assert old_tab.content == (builds.blue / asset(builds.blue, "details")).read_bytes()
        assert canary_tab.content == (builds.green / asset(builds.green, "details")).read_bytes()


def test_the_stable_entry_is_not_taken_for_another_one_of_the_same_size(
    builds: Builds, mounted: Path
) -> None:
    """A reproducible image has one time for all files, so nginx's ETag would be equal."""
    with pods(builds.blue, builds.green, mounted) as pair:
        assert "ETag" not in get(pair.primary, "/stable/entry.js").headers


def test_what_a_page_reports_is_one_line(pair: Pods) -> None:
    answer = requests.post(f"{pair.primary.url}/lockstep/report?canary", data="x", timeout=5)
    assert answer.status_code == 204
    lines = [json.loads(it) for it in pair.primary.log().splitlines() if it.startswith("{")]
    assert lines[-1]["problem"] == "canary"


@dataclass
class Served:
    """A pod, and the endpoint that it asks."""

    pod: Pod
    cluster: Ours
    endpoint: Lockstep

    def config(self, query: str = "") -> requests.Response:
        return get(self.pod, CONFIG + query)

    def share(self) -> int:
        return int(self.config().json()["CANARY_PERCENTAGE"])

    def stale(self) -> bool:
        return "Lockstep-Stale" in self.config().headers


@pytest.fixture
def served(builds: Builds, mounted: Path, tmp_path: Path) -> Iterator[Served]:
    with ours(tmp_path) as cluster:
        cluster.put(world.settings(25))
        with (
            running("serve-config", cluster.kubeconfig, tmp_path) as endpoint,
            pods(builds.blue, builds.green, mounted, f"http://{endpoint.config}{WHERE}") as pair,
        ):
            yield Served(pair.primary, cluster, endpoint)


def test_the_number_is_what_the_endpoint_answers_and_no_browser_stores_it(served: Served) -> None:
    answer = served.config()
    assert answer.text == world.settings(25)["data"]["config.json"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not served.stale()


@pytest.mark.parametrize(
    "path",
    [
        "/config/test/canary-vars.json",
        "/config/canary.json/../test/canary-vars.json",
        "/config/..%2fconfig%2ftest%2fcanary-vars.json",
        "/config/test/canary-settings.json",
    ],
)
def test_of_the_endpoint_nobody_gets_more_than_the_one_document(served: Served, path: str) -> None:
    served.cluster.put(world.variables(25))
    wait_for(lambda: served.share() == 25)
    before = served.endpoint.answers()
    answer = get(served.pod, path)
    assert answer.status_code in (400, 404)
    assert served.endpoint.answers() == before


def test_a_new_number_is_there_within_about_a_second(served: Served) -> None:
    took = []
    for share in range(10):
        served.cluster.put(world.settings(share))
        took.append(wait_for(lambda share=share: served.share() == share))  # type: ignore[misc]
        time.sleep(share / 10)  # so that not all begin where a second does
    assert max(took) < 1.5, took


def test_only_one_request_a_second_goes_on(served: Served) -> None:
    """And a query, a cookie or an `If-None-Match` is no way around the cache."""
    statuses: Counter[int] = Counter()
    until = time.monotonic() + 5
    before = served.endpoint.answers()

    def ask(number: int) -> None:
        headers = {
            "Cookie": f"x={number}",
            "If-None-Match": f'"{number}"',
            "Cache-Control": "no-cache",
        }
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < until:
                url = f"{served.pod.url}{CONFIG}?{number}-{time.monotonic()}"
                statuses[session.get(url, headers=headers, timeout=5).status_code] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.keys() == {200}
    assert statuses[200] > 200
    assert served.endpoint.answers() - before <= 7  # 5 s touch at most 6 seconds, and the first one


def test_only_who_reads_it_asks_the_endpoint(served: Served) -> None:
    """Else a page that posts there takes the one request a second, and nobody gets the number."""
    assert served.share() == 25
    for _ in range(3):
        assert requests.post(served.pod.url + CONFIG, timeout=5).status_code == 403
        time.sleep(1)
    assert requests.head(served.pod.url + CONFIG, timeout=5).status_code == 200
    assert served.endpoint.answers("405") == 0


def test_an_endpoint_that_is_away_is_bridged_for_15_seconds_and_then_nobody_is_on_canary(
    served: Served,
) -> None:
    served.share()
    served.endpoint.stop()
    gone = time.monotonic()
    while time.monotonic() - gone < 12:
        assert (served.share(), served.stale()) == (25, False)
        time.sleep(0.5)
    wait_for(served.stale, 6)
    assert 14 < time.monotonic() - gone < 17.5
    assert served.config().json() == json.loads((served.pod.mounted / "config.json").read_text())
    served.endpoint.start()
    wait_for(lambda: not served.stale(), 3)


def test_an_endpoint_that_refuses_is_not_bridged(served: Served) -> None:
    """Its ConfigMap broke: nobody can lower the number that was there."""
    assert served.share() == 25
    served.cluster.put(world.variables(0, world.SETTINGS) | {"data": {"config.json": "{"}})
    took = wait_for(served.stale)
    assert took < 2
    assert served.endpoint.answers("503") > 0
    served.cluster.put(world.settings(30))
    wait_for(lambda: not served.stale(), 3)
    assert served.share() == 30


def test_an_endpoint_that_hangs_keeps_nobody_waiting(served: Served) -> None:
    served.share()
    served.endpoint.stall()
    time.sleep(2)
    began = time.monotonic()
    assert (served.share(), served.stale()) == (25, False)
    assert time.monotonic() - began < 2 * 0.3  # a page waits 300 ms
    served.endpoint.go_on()


def test_a_probe_puts_the_number_into_the_cache(served: Served) -> None:
    assert get(served.pod, "/healthz").text == served.config().text
    assert served.endpoint.answers() <= 2  # a turn of a second may lie between the two


def test_with_nothing_at_all_the_number_is_0(builds: Builds, tmp_path: Path) -> None:
    with pods(builds.blue, builds.green, tmp_path / "none") as pair:
        answer = get(pair.primary, CONFIG)
    assert answer.json() == {"CANARY_PERCENTAGE": 0}
    assert answer.headers["Lockstep-Stale"] == "1"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_mounted_file_that_is_cut_off_is_served_as_it_is_and_the_loader_copes(
    builds: Builds, mounted: Path
) -> None:
    whole = (mounted / "config.json").read_text()
    (mounted / "config.json").write_text(whole[:10])
    try:
        with pods(builds.blue, builds.green, mounted) as pair:
            answer = get(pair.primary, CONFIG)
    finally:
        (mounted / "config.json").write_text(whole)
    assert (answer.text, answer.headers["Lockstep-Stale"]) == (whole[:10], "1")
