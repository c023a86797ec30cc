"""Each claim of docs/security.md names the test that holds it, or says that it can be done."""

import ast
import re
from pathlib import Path

import pytest

from tests.markdown import ROOT, page

SECURITY = page("security.md")
CLAIMS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for part in SECURITY.split("\n## ")[2:]
    for line in part.splitlines()
    if line.startswith("|") and not line.startswith(("| |", "|---"))
]
TEST = re.compile(r"`(tests/\S+?)::(\w+)`")
NAMED = sorted(set(TEST.findall(SECURITY)))


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {it.name for it in tree.body if isinstance(it, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_that_is_named_is_there(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in functions(ROOT / file)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda it: it[0][:60])
def test_what_cannot_be_done_is_held_by_a_test(claim: list[str]) -> None:
    """By a test: a contract or a construction is none."""
    said, held = claim
    assert TEST.search(held) or said.startswith("**can**")


def test_there_are_claims() -> None:
    assert len(CLAIMS) > 25
    assert len(NAMED) > 20
