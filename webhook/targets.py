"""A target: the ConfigMap from which browsers learn the canary's share."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from webhook import jsonedit
from webhook.fields import PERCENTAGE, FieldError, Object, find, required_text, strings
from webhook.kinds import Name

LABEL = "lockstep/canary"
MODE = "lockstep/mode"
KEY = "lockstep/key"
CEILING = "lockstep/ceiling"
NUMBER = "CANARY_PERCENTAGE"
RELEASE = "CANARY_RELEASE"

_BARE = re.compile(rf"(\s*)({PERCENTAGE.pattern})(\s*)")


class Mode(StrEnum):
    """Who writes the target: Lockstep (`write`), or Flux, and Lockstep reads back (`verify`)."""

    WRITE = "write"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """An upper bound that an announcement of Flagger's set.

    `value` is a percentage 0-100, `written` our clock and `announced` Flagger's, both in
    seconds since the epoch.
    """

    value: int
    written: float
    announced: float


@dataclass(frozen=True, slots=True)
class Target:
    """A ConfigMap that holds a valid client share (a percentage 0-100)."""

    name: Name
    version: str
    share: int
    mode: Mode = Mode.WRITE
    key: str = NUMBER
    text: str = field(default="", repr=False)
    release_text: str | None = field(default=None, repr=False)
    ceiling: Ceiling | None = None
    has_ceiling: bool = False


@dataclass(frozen=True, slots=True)
class BrokenTarget:
    """A ConfigMap labelled as a target that Lockstep must not touch, and why."""

    name: Name
    problem: str
    mode: Mode | None = None


def parse(obj: Object) -> Target | BrokenTarget:
    """The target in a labelled ConfigMap, or what is wrong with it."""
    name = Name(required_text(obj, "metadata", "namespace"), required_text(obj, "metadata", "name"))
    try:
        mode = _mode(strings(obj, "metadata", "annotations").get(MODE, Mode.WRITE))
    except ValueError as error:
        return BrokenTarget(name, str(error))
    try:
        return _parse(obj, name, mode)
    except ValueError as error:
        return BrokenTarget(name, str(error), mode)


def updated_data(target: Target, share: int, release: str) -> dict[str, str]:
    """The data keys to write so that the target holds `share` (a percentage 0-100).

    `release` goes into CANARY_RELEASE where the target has one; empty leaves it alone.
    """
    if not target.key.endswith(".json"):
        data = {target.key: _BARE.sub(rf"\g<1>{share}\g<3>", target.text)}
        if release and target.release_text is not None:
            data[RELEASE] = release
        return data
    spans = jsonedit.members(target.text)
    changes = {spans[NUMBER]: str(share)}
    if release and RELEASE in spans:
        changes[spans[RELEASE]] = json.dumps(release)
    return {target.key: jsonedit.replace(target.text, changes)}


def dump_ceiling(ceiling: Ceiling) -> str:
    """The annotation's text: JSON, with times that a person can read."""
    return json.dumps(
        {
            "value": ceiling.value,
            "written": _rfc3339(ceiling.written),
            "announced": _rfc3339(ceiling.announced),
        }
    )


def _parse(obj: Object, name: Name, mode: Mode) -> Target:
    data = strings(obj, "data")
    annotations = strings(obj, "metadata", "annotations")
    key = annotations.get(KEY) or ("config.json" if "config.json" in data else NUMBER)
    if find(obj, "immutable") is True:
        raise FieldError("it is immutable; re-create it without `immutable: true`")
    if key not in data:
        raise FieldError(f"it has no data key {key} (there: {', '.join(data) or 'none'})")
    share, release = _json_share(data[key], key) if key.endswith(".json") else _bare(data, key)
    return Target(
        name=name,
        version=required_text(obj, "metadata", "resourceVersion"),
        share=share,
        mode=mode,
        key=key,
        text=data[key],
        release_text=release,
        ceiling=_ceiling(annotations.get(CEILING)),
        has_ceiling=CEILING in annotations,
    )


def _mode(value: str) -> Mode:
    if value not in list(Mode):
        raise FieldError(f"annotation {MODE} is {value!r}, neither write nor verify")
    return Mode(value)


def _bare(data: Mapping[str, str], key: str) -> tuple[int, str | None]:
    match = _BARE.fullmatch(data[key])
    if not match:
        raise FieldError(f"{key} is {data[key]!r}, not a whole number from 0 to 100")
    return int(match[2]), data.get(RELEASE)


def _json_share(text: str, key: str) -> tuple[int, str | None]:
    try:
        spans = jsonedit.members(text)
    except jsonedit.JsonError as error:
        raise FieldError(f"{key}: {error}") from error
    if NUMBER not in spans:
        raise FieldError(f"{key} has no member {NUMBER}")
    token = text[spans[NUMBER].start : spans[NUMBER].end]
    if not PERCENTAGE.fullmatch(token):
        raise FieldError(f"{key}: {NUMBER} is {token}, not a whole number from 0 to 100")
    return int(token), _json_release(text, spans, key)


def _json_release(text: str, spans: dict[str, jsonedit.Span], key: str) -> str | None:
    if RELEASE not in spans:
        return None
    release = json.loads(text[spans[RELEASE].start : spans[RELEASE].end])
    if not isinstance(release, str):
        raise FieldError(f"{key}: {RELEASE} is {release!r}, not a string")
    return release


def _ceiling(text: str | None) -> Ceiling | None:
    """The ceiling in an annotation; None also for one that somebody broke by hand.

    Such a one bounds nothing and is removed by the next write: the router's share still does.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
        return Ceiling(int(value["value"]), _epoch(value["written"]), _epoch(value["announced"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _rfc3339(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")


def _epoch(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp()
