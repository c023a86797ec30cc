"""What `make record` writes is what the demo replays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.client import Json
from tests.cluster.fixtures import needs_programs
from tests.cluster.lab import ROOT, lab
from tests.cluster.record import SCENARIOS, record

pytestmark = pytest.mark.slow

_SCENARIO = SCENARIOS["deleted"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    needs_programs()
    with lab(tmp_path_factory.mktemp("record")) as made:
        made.start_replica()
        (path,) = record(made, [_SCENARIO], tmp_path_factory.mktemp("recordings"))
        yield path


def _rows(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_recording_has_what_the_recorded_ones_have(recording: Path) -> None:
    ours = _rows(recording)
    theirs = _rows(ROOT / "webhook" / "demo" / "data" / "deleted.jsonl")

    def shape(rows: list[Json]) -> set[tuple[str, ...]]:
        return {tuple(sorted(row)) for row in rows}

    def kinds(rows: list[Json]) -> set[str]:
        return {row["object"]["kind"] for row in rows if row["type"] == "object"}

    assert shape(ours) == shape(theirs)
    assert kinds(ours) == kinds(theirs)
    assert not any("managedFields" in json.dumps(row) for row in ours)
    assert [row["rv"] for row in ours] == sorted(row["rv"] for row in ours)
    assert [row["t"] for row in ours] == sorted(row["t"] for row in ours)


def test_it_can_be_replayed_and_the_law_is_kept(recording: Path) -> None:
    command = [sys.executable, "-m", "webhook", "demo", "--recording", str(recording)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert recording.stem in done.stdout
