"""The programs beside Python: what is missing leaves its tests out, but never in CI."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.cluster.fixtures import missing

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
PACKAGES = "nginx-light chromium wrk gettext-base"
INSTALL = f"run tests/tools/install-debian {PACKAGES}, and install Node 20 with npm"

os.environ["PATH"] += ":/usr/sbin"  # where Debian has nginx, and not everybody's PATH


def need(*programs: str) -> None:
    """Skip the test where a program is missing; with CI=true it fails."""
    absent = [it for it in programs if not shutil.which(it)]
    if absent:
        missing(f"{', '.join(absent)} missing: {INSTALL}")


@cache
def built() -> None:
    """The loader as `make loader` writes it, with what it is built by."""
    subprocess.run(["make", "--silent", "loader"], cwd=ROOT, check=True)


def node(script: Path, *arguments: str, **options: str) -> str:
    """What a script prints.

    Raises:
        subprocess.CalledProcessError: it failed; its last words are on stderr.
    """
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = ["node", str(script), *arguments, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
