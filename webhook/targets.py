"""A target: the ConfigMap from which browsers learn the canary's share."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from webhook import jsonedit
from webhook.fields import (
    PERCENTAGE,
    FieldError,
    Object,
    epoch,
    find,
    number,
    required_text,
    strings,
)
from webhook.kinds import Name

LABEL = "lockstep/canary"
MODE = "lockstep/mode"
KEY = "lockstep/key"
CEILING = "lockstep/ceiling"
SERVE = "lockstep/serve"
"""Labelled so (`true`), a ConfigMap of no Canary is served to browsers."""
NUMBER = "CANARY_PERCENTAGE"
RELEASE = "CANARY_RELEASE"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


def merge_patch(target: Target, share: int, release: str, ceiling: Ceiling | None) -> Object:
    """What makes the target hold `share` (a percentage 0-100), if nobody wrote it meanwhile.

    `release` goes into CANARY_RELEASE where the target has one; empty leaves it alone. The
    ceiling is Lockstep's note to itself, and stands only on what Lockstep steers.
    """
    metadata: dict[str, object] = {"resourceVersion": target.version}
    if target.mode is Mode.WRITE and (ceiling or target.has_ceiling):
        metadata["annotations"] = {CEILING: dump_ceiling(ceiling) if ceiling else None}
    if share == target.share:
        return {"metadata": metadata}
    return {"metadata": metadata, "data": _updated_data(target, share, release)}


def dump_ceiling(ceiling: Ceiling) -> str:
    """The annotation's text: JSON, with times that a person can read."""
    return json.dumps(
        {
            "value": ceiling.value,
            "written": _rfc3339(ceiling.written),
            "announced": _rfc3339(ceiling.announced),
        }
    )


def _updated_data(target: Target, share: int, release: str) -> dict[str, str]:
    if not target.key.endswith(".json"):
        # Around its one number, the text of a parsed target holds white space only.
        data = {target.key: target.text.replace(str(target.share), str(share))}
        if release and target.release_text is not None:
            data[RELEASE] = release
        return data
    spans = jsonedit.members(target.text)
    changes = {spans[NUMBER]: str(share)}
    if release and RELEASE in spans:
        changes[spans[RELEASE]] = json.dumps(release)
    return {target.key: jsonedit.replace(target.text, changes)}


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
    return int(match[2]), None if key == RELEASE else data.get(RELEASE)


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
        return _read_ceiling(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _read_ceiling(document: object) -> Ceiling:
    value = number(document, "value")
    if value is None or value not in range(101):
        raise FieldError(f"value is {value}, not a whole number from 0 to 100")
    written, announced = (
        epoch(required_text(document, clock)) for clock in ("written", "announced")
    )
    return Ceiling(value, written, announced)


def _rfc3339(seconds: float) -> str:
    """The nearest millisecond: Flagger's times are read back as they were, or they were news."""
    moment = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    return moment.isoformat(timespec="milliseconds")
