"""What is installed is what the lock files pin, by hash."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


@pytest.mark.parametrize("name", LOCKS)
def test_each_requirement_has_one_version_and_its_hashes(name: str) -> None:
    text = re.sub(r"^ *#.*$", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    pinned = re.sub(r"\\\n", "", text).split("\n")
    for line in filter(str.strip, pinned):
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.!+]+ .*--hash=sha256:[0-9a-f]{64}", line), line


@pytest.mark.parametrize("name", ["Dockerfile", "Makefile"])
def test_nothing_is_installed_but_by_its_hash_and_ourselves(name: str) -> None:
    installs = re.findall(r"^.*pip\b.*\binstall\b.*$", (ROOT / name).read_text(), re.MULTILINE)
    assert len(installs) > 1
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line, line
