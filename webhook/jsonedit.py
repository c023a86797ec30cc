"""Changing one top-level member of a JSON text and nothing else of it.

A diff of the ConfigMap must show the number alone, so the text is never parsed and dumped:
the member's span is found, and only that span is replaced.
"""

import json
import re
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\n\r]*")


class JsonError(ValueError):
    """The text is no JSON object, or one whose members are ambiguous."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a member's value stands in the text: `text[start:end]`."""

    start: int
    end: int


def members(text: str) -> dict[str, Span]:
    """The span of each top-level member's value.

    Raises:
        JsonError: the text is not JSON, not an object, or names a member twice (parsers
            disagree on which one counts, so neither may be edited).
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
        return _spans(text) if isinstance(document, dict) else _refuse_document(document)
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(f"it is not valid JSON: {error}") from error


def replace(text: str, changes: dict[Span, str]) -> str:
    """The text with each span replaced by its new JSON value."""
    for span in sorted(changes, key=lambda span: span.start, reverse=True):
        text = text[: span.start] + changes[span] + text[span.end :]
    return text


def _refuse_constant(name: str) -> object:
    raise JsonError(f"it is not valid JSON: it holds {name}")


def _refuse_document(document: object) -> dict[str, Span]:
    raise JsonError(f"it holds a {type(document).__name__}, not an object")


def _spans(text: str) -> dict[str, Span]:
    """The members of a text known to be one valid JSON object."""
    decoder = json.JSONDecoder()
    spans: dict[str, Span] = {}
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        name, at = decoder.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, start)
        if name in spans:
            raise JsonError(f"member {name!r} stands in it twice")
        spans[name] = Span(start, end)
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return spans


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
