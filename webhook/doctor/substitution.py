"""What Flux's postBuild makes of a text: `${NAME}`, with a default or without. Pure."""

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?::?[=-]([^}]*))?\}")


def substituted(text: str, values: Mapping[str, str]) -> str:
    """The text with each `${NAME}` replaced by its default, else by its value, else by nothing."""
    return _VARIABLE.sub(lambda it: values.get(it[1], "") if it[2] is None else it[2], text)


def defaults(text: str) -> dict[str, str | None]:
    """The variables that a text has places for, each with its default or None."""
    return {it[1]: it[2] for it in _VARIABLE.finditer(text)}
