"""Reading untyped Kubernetes objects: the edge between JSON and our types."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

PERCENTAGE = re.compile(r"0|[1-9][0-9]?|100")
"""A whole number from 0 to 100, as text and in one spelling only."""

Object = Mapping[str, object]
"""A Kubernetes object as JSON gives it."""


class FieldError(ValueError):
    """A field is missing or has the wrong type; the message names its path."""


def find(obj: object, *path: str) -> object:
    """The value at `path`, or None where any step of it is absent."""
    for step in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(step)
    return obj


def text(obj: object, *path: str) -> str | None:
    """The string at `path`, None where absent.

    Raises:
        FieldError: something else is there.
    """
    value = find(obj, *path)
    if value is None or isinstance(value, str):
        return value
    raise FieldError(f"{'.'.join(path)} is {value!r}, not a string")


def required_text(obj: object, *path: str) -> str:
    """The string at `path`.

    Raises:
        FieldError: it is absent, empty or no string.
    """
    value = text(obj, *path)
    if not value:
        raise FieldError(f"{'.'.join(path)} is missing")
    return value


def number(obj: object, *path: str) -> int | None:
    """The whole number at `path`, None where absent.

    Raises:
        FieldError: something else is there.
    """
    value = find(obj, *path)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise FieldError(f"{'.'.join(path)} is {value!r}, not a whole number")


def required_number(obj: object, *path: str) -> int:
    """The whole number at `path`.

    Raises:
        FieldError: it is absent, or something else is there.
    """
    value = number(obj, *path)
    if value is None:
        raise FieldError(f"{'.'.join(path)} is missing")
    return value


def epoch(rfc3339: str) -> float:
    """Seconds since the epoch at a time as Kubernetes writes it, which has an offset.

    Raises:
        ValueError: it is no such time, or one without an offset: nobody knows when that was.
    """
    moment = datetime.fromisoformat(rfc3339)
    if moment.tzinfo is None:
        raise ValueError(f"{rfc3339!r} has no offset such as Z")
    return moment.timestamp()


def objects(obj: object, *path: str) -> Iterator[Object]:
    """Each object in the list at `path`; none where it is absent.

    Raises:
        FieldError: there is no list, or not one of objects.
    """
    value = find(obj, *path)
    if value is None:
        return
    if not isinstance(value, list):
        raise FieldError(f"{'.'.join(path)} is {value!r}, not a list")
    for item in value:
        if not isinstance(item, Mapping):
            raise FieldError(f"{'.'.join(path)} holds {item!r}, not an object")
        yield item


def strings(obj: object, *path: str) -> Mapping[str, str]:
    """The string-to-string map at `path`, such as annotations; empty where absent.

    Raises:
        FieldError: there is no such map.
    """
    value = find(obj, *path)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise FieldError(f"{'.'.join(path)} is {value!r}, not a map")
    return {key: text(value, key) or "" for key in value}
