"""What these tests share: the sample's builds, a shop that runs them, and its visitors."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.cluster.programs import MissingError, find
from tests.frontend.builds import Builds
from tests.frontend.chromium import chromium
from tests.frontend.cluster import Cluster, ours, real
from tests.frontend.programs import built, need
from tests.frontend.shop import Shop, opened
from tests.frontend.visitors import Visitors, visitors


@pytest.fixture(scope="session")
def builds() -> Iterator[Builds]:
    need("node", "npm")
    built()
    # Not pytest's folder, which only its owner may read: nginx runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="sites-", dir="/tmp"))
    folder.chmod(0o755)
    builds = Builds(folder)
    builds.make("blue", "blue")
    builds.make("green", "green", builds.blue)
    yield builds
    shutil.rmtree(folder)


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Cluster, str]]:
    """An API server and an empty namespace there: the real one where it is built, else ours."""
    namespace = f"shop-{uuid.uuid4().hex[:6]}"
    if is_built():
        yield real(request.getfixturevalue("plane"), namespace), namespace
        return
    with ours(tmp_path) as cluster:
        yield cluster, namespace


def is_built() -> bool:
    """Whether there is a kube-apiserver; with CI set there has to be one."""
    try:
        find()
    except MissingError:
        return bool(os.environ.get("CI"))
    return True


@pytest.fixture
def shop(cluster: tuple[Cluster, str], builds: Builds, tmp_path: Path) -> Iterator[Shop]:
    """Before a rollout: blue is stable, green would be the canary, and nobody is on it."""
    need("nginx", "envsubst")
    with opened(*cluster, builds, tmp_path) as shop:
        yield shop


@pytest.fixture
def crowd() -> Iterator[Visitors]:
    with visitors() as crowd:
        yield crowd


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    need("chromium")
    with chromium() as browser:
        yield browser


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says what was measured, whatever pytest hides."""

    def say(what: str) -> None:
        with capsys.disabled():
            print(f"\n{what}")  # noqa: T201

    return say
