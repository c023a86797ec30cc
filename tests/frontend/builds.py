"""Sites as the sample's own build script writes them."""

from dataclasses import dataclass
from pathlib import Path

from tests.frontend.programs import FRONTEND, node


@dataclass(frozen=True)
class Builds:
    """`blue` was built first, and `green` after it."""

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
