"""Recordings are checked before anything is started."""

import json
from pathlib import Path
from typing import Any, Protocol

import pytest

from webhook.demo import scenarios
from webhook.demo.recording import (
    HookRow,
    ObjectRow,
    RecordingError,
    check_disjoint,
    load,
    pauses,
)
from webhook.gates import Hook
from webhook.kinds import Name

Json = dict[str, Any]


class Write(Protocol):
    def __call__(self, *rows: object, name: str = ...) -> Path: ...


def an_object(**changes: object) -> Json:
    meta = {"namespace": "test", "name": "web"}
    spec = {"targetRef": {"kind": "Deployment", "name": "web"}}
    obj = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": meta, "spec": spec}
    return {"rv": 1, "t": 0.5, "type": "object", "verb": "ADDED", "object": obj, **changes}


def a_hook(**changes: object) -> Json:
    payload = {"name": "web", "namespace": "test", "phase": "Progressing"}
    row = {"rv": 2, "t": 1, "type": "hook", "hook": "event", "payload": payload, "answer": 200}
    return {**row, **changes}


def changed(**changes: object) -> Json:
    return {**an_object()["object"], **changes}


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(*rows: object, name: str = "mine.jsonl") -> Path:
        path = tmp_path / name
        lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


def test_a_recording_is_its_rows_in_their_order(written: Write) -> None:
    recording = load(written(an_object(), a_hook(), an_object(verb="DELETED")))
    assert (recording.name, recording.canary) == ("mine", Name("test", "web"))
    first, second, third = recording.rows
    assert isinstance(first, ObjectRow)
    assert isinstance(third, ObjectRow)
    assert (first.deleted, third.deleted) == (False, True)
    assert second == HookRow(2, 1.0, Hook.EVENT, a_hook()["payload"], 200)


CASES: list[tuple[object, str]] = [
    ("{", "not JSON: "),
    ("", "not JSON: "),
    ("[1]", "not a JSON object"),
    ({"t": 1}, "type is None, neither object nor hook"),
    ({"type": 7}, "type is 7, not a string"),
    (a_hook(type="event"), "type is 'event', neither object nor hook"),
    (an_object(verb="PATCHED"), "verb is 'PATCHED', none of ADDED, MODIFIED, DELETED"),
    (an_object(object=None), "object is missing or not an object"),
    (an_object(object={}), "apiVersion is missing"),
    (an_object(object=changed(kind="Pod")), "Pod flagger.app/v1beta1 is no kind"),
    (an_object(object=changed(apiVersion="v1", kind="ConfigMap")), "ConfigMap v1 is no kind"),
    (an_object(object=changed(metadata={"name": "web"})), "metadata.namespace is missing"),
    (an_object(object=changed(metadata={"namespace": "test"})), "metadata.name is missing"),
    (an_object(object=changed(spec={})), "spec.targetRef.name is missing"),
    (an_object(t=-1), "t is -1, not a number of seconds"),
    (an_object(t="1"), "t is '1', not a number of seconds"),
    (an_object(t=True), "t is True, not a number of seconds"),
    (json.dumps(an_object(t=float("inf"))), "t is inf, not a number of seconds"),
    (json.dumps(an_object(t=float("nan"))), "t is nan, not a number of seconds"),
    (a_hook(hook="confirm"), "hook is 'confirm', none of confirm-rollout, pre-rollout"),
    (a_hook(answer="200"), "answer is '200', not an HTTP status"),
    (a_hook(answer=2000), "answer is 2000, not an HTTP status"),
    (a_hook(payload=[]), "payload is missing or not an object"),
    (a_hook(payload={"name": "web"}), "namespace is missing"),
    (a_hook(payload={"name": 1, "namespace": "test"}), "name is 1, not a string"),
    (a_hook(payload={"name": "app", "namespace": "test"}), "another canary than test/web"),
]


@pytest.mark.parametrize(("row", "fault"), CASES, ids=[fault for _, fault in CASES])
def test_a_bad_row_is_told_with_its_file_and_line(written: Write, row: object, fault: str) -> None:
    path = written(an_object(), row)
    with pytest.raises(RecordingError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}:2: ")
    assert fault in str(error.value)


def test_every_bad_row_is_told_but_not_without_end(written: Write) -> None:
    path = written(an_object(), *["x"] * 12)
    with pytest.raises(RecordingError) as error:
        load(path)
    lines = str(error.value).split("\n")
    assert len(lines) == 11
    assert lines[9].startswith(f"{path}:11: ")
    assert lines[10] == f"{path}: and 2 more rows like these"


def test_a_file_without_rows_is_no_recording(written: Write) -> None:
    path = written()
    with pytest.raises(RecordingError, match="exactly one Canary; here: none"):
        load(path)


def test_a_recording_of_two_canaries_is_none(written: Write) -> None:
    other = changed(metadata={"namespace": "test", "name": "app"})
    with pytest.raises(RecordingError, match="exactly one Canary; here: test/app, test/web"):
        load(written(an_object(), an_object(object=other)))


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        load(tmp_path / "none.jsonl")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(RecordingError, match="not UTF-8 text"):
        load(tmp_path / "bytes")


def test_two_recordings_of_one_canary_cannot_be_played_at_once(written: Write) -> None:
    recordings = [load(written(an_object(), name=f"{name}.jsonl")) for name in ("a", "b")]
    with pytest.raises(RecordingError, match="a and b both write canaries test/web"):
        check_disjoint(recordings)


def test_only_waiting_is_cut_short(written: Write) -> None:
    rows = load(written(an_object(), a_hook(t=0.55), a_hook(t=10.55), a_hook(t=10.5))).rows
    assert list(pauses(rows, 10)) == pytest.approx([0.1, 0.05, 1.0, 0.0])
    assert list(pauses(rows, 1000)) == pytest.approx([0.1, 0.05, 0.1, 0.0])
    assert list(pauses(rows, 0.5)) == pytest.approx([1.0, 0.1, 20.0, 0.0])


def test_every_recording_of_ours_is_valid_and_described() -> None:
    recordings = [load(path) for path in scenarios.paths().values()]
    check_disjoint(recordings)
    assert [it.name for it in recordings] == sorted(scenarios.DESCRIPTIONS)
    assert [it.canary.name for it in recordings] == [it.name for it in recordings]
