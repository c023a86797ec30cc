"""What the Dockerfile builds, by its own steps: run unprivileged, with nothing to write to."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world
from tests.service.test_serve import Process
from tests.waiting import wait_for
from webhook import __version__
from webhook.demo.apiserver import ApiServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOBODY = 65532
"""The user of the image, and, where the tests run as root, of these processes."""


def interpreter() -> str:
    """A Python that another user may run too; a developer's own often is in a closed home."""
    candidates = [Path(sys.base_prefix) / "bin" / "python3", Path("/usr/bin/python3")]
    for path in candidates:
        version = ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            probe = subprocess.run([str(path), *version], user=user(), cwd="/", check=False)
        except OSError:
            continue
        if probe.returncode == 0:
            return str(path)
    pytest.skip("no Python 3.11 that an unprivileged user may run")


def user() -> int | None:
    return NOBODY if os.getuid() == 0 else None


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The final stage's `/opt/lockstep`, made by the steps of the Dockerfile."""
    folder = Path(tempfile.mkdtemp(prefix="lockstep-image-"))
    folder.chmod(0o755)
    home = folder / "lockstep"
    dist = folder / "dist"
    pip = f"{sys.executable} -m pip --quiet"
    install = f"{pip} --python {home}/bin/python install --no-cache-dir"
    for step in (
        f"{interpreter()} -m venv --without-pip {home}",
        f"{install} --require-hashes -r requirements.lock",
        f"{pip} wheel --no-deps --no-build-isolation --wheel-dir {dist} .",
        f"{install} --no-deps {dist}/lockstep_webhook-{__version__}-py3-none-any.whl",
    ):
        subprocess.run(shlex.split(step), cwd=ROOT, check=True)
    yield home
    shutil.rmtree(folder)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A working directory in which nothing can be written."""
    folder = Path(tempfile.mkdtemp(prefix="lockstep-closed-"))
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def run(installed: Path, closed: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(installed / "bin" / "lockstep"), *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=closed, env=environment, user=user(), text=True, capture_output=True,
        check=False,
    )  # fmt: skip


def test_the_wheel_alone_has_the_command(installed: Path, closed: Path) -> None:
    assert run(installed, closed, "--version").stdout.strip() == __version__


def test_the_demo_says_which_extra_it_needs(installed: Path, closed: Path) -> None:
    result = run(installed, closed, "demo")
    assert result.returncode == 2
    assert "lockstep-webhook[demo]" in result.stderr


@pytest.mark.parametrize("command", ["serve", "serve-config"])
def test_a_command_runs_unprivileged_on_a_read_only_directory(
    installed: Path, closed: Path, tmp_path: Path, command: str
) -> None:
    with ApiServer(world.rollout(50, world.variables(25))) as api:
        readable = Path(tempfile.mkdtemp(prefix="lockstep-kubeconfig-"))
        readable.chmod(0o755)
        lockstep = Process(
            api,
            readable,
            command,
            program=[str(installed / "bin" / "lockstep")],
            cwd=closed,
            user=user(),
            variables={"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            wait_for(lambda: lockstep.status(f"{lockstep.read_url}/readyz") == 200, 20)
            assert lockstep.end() == 0
        finally:
            lockstep.end(signal.SIGKILL)
            lockstep.output.close()
            shutil.rmtree(readable)
    assert list(closed.iterdir()) == []
