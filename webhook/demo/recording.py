"""Recorded rollouts: what Flagger did, row by row, checked before anything is started."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from webhook import canary as canaries
from webhook import kinds
from webhook.canary import MeshDefaults
from webhook.demo.objects import Json, Resource, resource
from webhook.demo.store import KINDS
from webhook.fields import FieldError, find, required_text, text
from webhook.gates import Hook
from webhook.kinds import Kind, Name

Key = tuple[Resource, Name]
"""What the store keeps an object under."""

_FLOOR = 0.1
"""Seconds. Flagger's work within a tick is replayed as fast as it was; only waiting is cut."""

_VERBS = ("ADDED", "MODIFIED", "DELETED")
_REPLAYED = [kind for kind in KINDS if kind not in (kinds.CONFIG_MAP, kinds.EVENT)]
"""Not what Lockstep writes: the demo makes a target of its own for each canary."""

_BY_TYPE = {(kind.api_version, kind.kind): kind for kind in _REPLAYED}
_TOLD_PROBLEMS = 10


class RecordingError(ValueError):
    """Files cannot be replayed; the message has a line for each fault: `file:line: what`."""


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A revision of an object; `t` is in seconds from the start of the recording."""

    line: int
    t: float
    kind: Kind
    name: Name
    deleted: bool
    object: Json

    @property
    def key(self) -> Key:
        """What the store keeps the object under."""
        return resource(self.kind), self.name


@dataclass(frozen=True, slots=True)
class HookRow:
    """A call of Flagger's, and the HTTP status that it got."""

    line: int
    t: float
    hook: Hook
    payload: Json
    answer: int


Row = ObjectRow | HookRow


@dataclass(frozen=True, slots=True)
class Recording:
    """One canary's rollout; `name` is the scenario's."""

    name: str
    canary: Name
    rows: tuple[Row, ...]

    @property
    def keys(self) -> set[Key]:
        """Every object that it writes."""
        return {row.key for row in self.rows if isinstance(row, ObjectRow)}


def load(path: Path) -> Recording:
    """The recording in a file.

    Raises:
        RecordingError: the file or rows in it are not of the format.
    """
    rows: list[Row] = []
    problems: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            rows.append(_row(number, line))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        left = len(problems) - _TOLD_PROBLEMS
        more = [f"{path}: and {left} more rows like these"] if left > 0 else []
        raise RecordingError("\n".join(problems[:_TOLD_PROBLEMS] + more))
    return Recording(path.stem, _canary(path, rows), tuple(rows))


def check_disjoint(recordings: Sequence[Recording]) -> None:
    """Check that recordings can be replayed at once.

    Raises:
        RecordingError: two write the same object.
    """
    owners: dict[Key, str] = {}
    for recording in recordings:
        for key in sorted(recording.keys):
            owner = owners.setdefault(key, recording.name)
            if owner != recording.name:
                (_, plural), name = key
                both = f"recordings {owner} and {recording.name}"
                raise RecordingError(f"{both} both write {plural} {name}: replay one of them")


def pauses(rows: Sequence[Row], speed: float) -> Iterator[float]:
    """How many seconds to wait before each row, `speed` times as fast as recorded.

    Pauses up to 0.1 s stay as they were and longer ones are not cut below that: what Flagger
    does at once it does at once here, and no faster than it can.
    """
    times = [0.0, *(row.t for row in rows)]
    for before, after in pairwise(times):
        gap = max(0.0, after - before)
        yield max(gap / speed, min(gap, _FLOOR))


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: not UTF-8 text: {error.reason}") from error
    return lines[:-1] if lines[-1] == "" else lines


def _row(number: int, line: str) -> Row:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FieldError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise FieldError("not a JSON object")
    match text(document, "type"):
        case "object":
            return _object_row(number, document)
        case "hook":
            return _hook_row(number, document)
        case other:
            raise FieldError(f"type is {other!r}, neither object nor hook")


def _object_row(number: int, document: Json) -> ObjectRow:
    verb = text(document, "verb")
    if verb not in _VERBS:
        raise FieldError(f"verb is {verb!r}, none of {', '.join(_VERBS)}")
    obj = _mapping(document, "object")
    kind = _kind(obj)
    name = Name(required_text(obj, "metadata", "namespace"), required_text(obj, "metadata", "name"))
    if kind == kinds.CANARY:
        canaries.parse(obj, MeshDefaults())
    return ObjectRow(number, _time(document), kind, name, verb == "DELETED", obj)


def _hook_row(number: int, document: Json) -> HookRow:
    hook, answer = text(document, "hook"), document.get("answer")
    if hook not in list(Hook):
        raise FieldError(f"hook is {hook!r}, none of {', '.join(Hook)}")
    if not isinstance(answer, int) or answer not in range(100, 600):
        raise FieldError(f"answer is {answer!r}, not an HTTP status")
    payload = _mapping(document, "payload")
    for field in ("namespace", "name"):
        required_text(payload, field)
    return HookRow(number, _time(document), Hook(hook), payload, answer)


def _mapping(document: Json, field: str) -> Json:
    value = document.get(field)
    if not isinstance(value, dict):
        raise FieldError(f"{field} is missing or not an object")
    return value


def _kind(obj: Json) -> Kind:
    wanted = required_text(obj, "apiVersion"), required_text(obj, "kind")
    if wanted not in _BY_TYPE:
        known = ", ".join(f"{kind} {version}" for version, kind in _BY_TYPE)
        raise FieldError(f"{wanted[1]} {wanted[0]} is no kind that can be replayed ({known})")
    return _BY_TYPE[wanted]


def _time(document: Json) -> float:
    t = document.get("t")
    if not isinstance(t, int | float) or isinstance(t, bool) or not 0 <= t < math.inf:
        raise FieldError(f"t is {t!r}, not a number of seconds")
    return float(t)


def _canary(path: Path, rows: Sequence[Row]) -> Name:
    """The one canary of the recording."""
    objects = (row for row in rows if isinstance(row, ObjectRow))
    found = {row.name for row in objects if row.kind == kinds.CANARY}
    if len(found) != 1:
        names = ", ".join(map(str, sorted(found))) or "none"
        raise RecordingError(f"{path}: a recording is of exactly one Canary; here: {names}")
    canary = found.pop()
    for row in rows:
        if isinstance(row, HookRow) and _claimed(row) != canary:
            raise RecordingError(f"{path}:{row.line}: the hook is of another canary than {canary}")
    return canary


def _claimed(row: HookRow) -> Name:
    return Name(str(find(row.payload, "namespace")), str(find(row.payload, "name")))
