"""What happens to a pod in a cluster: killed, without DNS, with slow browsers and a small /tmp."""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.cluster.programs import free_port
from tests.frontend.builds import Builds
from tests.frontend.nginx import Pod
from tests.frontend.programs import need
from tests.frontend.test_nginx import CONFIG, get, pods

pytestmark = pytest.mark.slow

BIG, BROWSERS = 20_000_000, 4
ROOM = 32 * 1024 * 1024
"""What the Deployment gives to /tmp; a pod that has more there is evicted."""


def test_it_starts_again_after_it_was_killed(builds: Builds) -> None:
    """A container that is started again has the /tmp of the one before."""
    need("nginx", "envsubst")
    with Pod(site=builds.blue) as pod:
        pod.kill()
        pod.start()
        assert get(pod, CONFIG).json() == {"CANARY_PERCENTAGE": 0}


@pytest.fixture
def without_dns(builds: Builds) -> Iterator[Pod]:
    """A pod of stable's whose name server takes questions and never answers."""
    need("nginx", "envsubst")
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        with Pod(
            port=port,
            site=builds.blue,
            stable=f"frontend-primary.shop.svc.cluster.local:{port}",
            canary="frontend-canary.shop.svc.cluster.local",
            config="http://lockstep-config.lockstep-system.svc.cluster.local/config/a/b.json",
            resolver=f"127.0.0.1:{server.getsockname()[1]}",
        ) as pod:
            yield pod


def test_without_dns_probes_and_pages_have_their_answer_in_time(without_dns: Pod) -> None:
    """A probe waits for 1 s, and a page for 300 ms."""
    for path in ("/healthz", CONFIG, "/healthz"):
        began = time.monotonic()
        assert get(without_dns, path).json() == {"CANARY_PERCENTAGE": 0}
        assert time.monotonic() - began < 0.3


def test_without_dns_stable_is_what_its_own_pod_has(without_dns: Pod, builds: Builds) -> None:
    entry = get(without_dns, "/stable/entry.js")
    assert entry.text == (builds.blue / "entry.js").read_text()
    assert entry.headers["Cache-Control"] == "no-store"
    for path in ("/stable/none.js", "/canary/entry.js"):
        assert get(without_dns, path).status_code == 404


def open_bytes(pod: Pod) -> int:
    """How much the workers hold in files of /tmp, those included that have no name any more."""
    assert pod.process
    group = os.getpgid(pod.process.pid)
    processes = (int(it.name) for it in Path("/proc").iterdir() if it.name.isdigit())
    return sum(size(it, pod.folder) for it in processes if group_of(it) == group)


def group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


def size(process: int, folder: Path) -> int:
    open_files = Path(f"/proc/{process}/fd").iterdir()
    return sum(
        it.stat().st_size for it in open_files if str(it.readlink()).startswith(f"{folder}/proxy")
    )


def test_browsers_that_are_slow_do_not_fill_tmp(builds: Builds, tmp_path: Path) -> None:
    site = builds.folder / "with-film"
    shutil.copytree(builds.green, site)
    (site / "assets/film-4F3A.mp4").write_bytes(b"x" * BIG)
    with pods(builds.blue, site, tmp_path / "none") as pair, ExitStack() as stack:
        for _ in range(BROWSERS):
            browser = stack.enter_context(socket.socket())
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            browser.connect(("127.0.0.1", pair.primary.port))
            browser.sendall(b"GET /canary/assets/film-4F3A.mp4 HTTP/1.1\r\nHost: shop\r\n\r\n")
        time.sleep(2)
        assert open_bytes(pair.primary) < ROOM / 8
        whole = get(pair.primary, "/canary/assets/film-4F3A.mp4")
        assert len(whole.content) == BIG
    shutil.rmtree(site)


def test_nobody_posts_more_than_memory_takes(builds: Builds, tmp_path: Path) -> None:
    with pods(builds.blue, builds.green, tmp_path / "none") as pair:
        for path in ("/lockstep/report?canary", "/stable/entry.js"):
            answer = requests.post(pair.primary.url + path, data=b"x" * 17_000, timeout=5)
            assert answer.status_code == 413
