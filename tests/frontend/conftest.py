"""The sample's builds, made once a session by its own build script."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.frontend.programs import FRONTEND, built, need, node


@dataclass(frozen=True)
class Builds:
    """Sites as the sample's build writes them: `blue` first, then `green` after it."""

    folder: Path

    @property
    def blue(self) -> Path:
        return self.folder / "blue"

    @property
    def green(self) -> Path:
        return self.folder / "green"

    def make(self, name: str, edition: str, previous: Path | None = None) -> Path:
        out = self.folder / name
        before = {"previous": str(previous)} if previous else {}
        node(FRONTEND / "sample/build.mjs", edition=edition, out=str(out), **before)
        return out


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
