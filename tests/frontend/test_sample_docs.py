"""What docs/frontend.md says to type, typed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.frontend.programs import FRONTEND, ROOT, built, need, node

pytestmark = pytest.mark.slow


def test_the_loader_is_as_big_as_the_docs_say() -> None:
    need("node", "npm")
    built()
    (size,) = re.findall(r" (\d+) gzipped", node(FRONTEND / "build-loader.mjs"))
    assert f"| {int(size):,} bytes;" in (ROOT / "docs/frontend.md").read_text()


def test_the_sample_is_built_by_what_the_docs_say(tmp_path: Path) -> None:
    need("node", "npm")
    docs = (ROOT / "docs/frontend.md").read_text()
    block = re.search(r"## Try the sample\n.*?```sh\n(.*?)```", docs, re.DOTALL)
    assert block
    script = block[1].replace("frontend/site", f"{tmp_path}/site")
    subprocess.run(["bash", "-e", "-c", script], cwd=ROOT, check=True, capture_output=True)
    site, before = tmp_path / "site", tmp_path / "site-blue"
    old = {it.name for it in (before / "assets").iterdir()}
    new = {it.name for it in (site / "assets").iterdir()}
    assert old < new
    assert (site / "entry.js").is_file()
    assert "%LOADER%" not in (site / "index.html").read_text()
