"""Durations as Go, and so Flagger and Kubernetes, writes them."""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_LONGEST = 2**63 / 1e9  # Go counts nanoseconds in 64 bits
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def seconds(text: str) -> float:
    """Seconds in a Go duration such as `10s`, `1m30s` or `500ms`.

    Raises:
        ValueError: the text is no such duration; says what one looks like.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write for example 500ms, 10s or 1m30s")
    total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if total >= _LONGEST:
        raise ValueError(f"{text!r} is too long; Go stops at 292 years")
    return total
