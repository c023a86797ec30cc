"""Every link between the docs leads somewhere, and the index has every page."""

from pathlib import Path

import pytest

from tests.markdown import DOCS, PAGES, ROOT, anchors, links, relative


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CHANGELOG.md"], ids=relative)
def test_linked_files_and_headings_exist(path: Path) -> None:
    for file, anchor in links(path):
        assert file.exists(), file
        assert file.is_relative_to(ROOT), file
        if anchor:
            assert anchor in anchors(file), f"{relative(file)}#{anchor}"


def test_the_index_has_every_page() -> None:
    listed = {file for file, _ in links(DOCS / "README.md")}
    assert listed >= {path for path in DOCS.glob("*.md") if path.name != "README.md"}


def test_the_readme_leads_to_the_index() -> None:
    assert DOCS / "README.md" in {file for file, _ in links(ROOT / "README.md")}


def test_an_anchor_is_the_heading_as_github_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(
        "# `lockstep serve-config`\n## What it says, and why\n## `rollout`\n## rollout\n"
    )
    assert anchors(file) == {
        "lockstep-serve-config", "what-it-says-and-why", "rollout", "rollout-1",
    }  # fmt: skip
