"""What a rule finds: the object, what will go wrong, and the lines that fix it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import yaml

from webhook.doctor.snapshot import Item
from webhook.doctor.world import World


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an object: `harm` is a sentence, `fix` the lines to write."""

    item: Item
    harm: str
    fix: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id, and the function that looks for it."""

    id: str
    look: Callable[[World], Iterable[Fault]]

    @property
    def about(self) -> str:
        """What it finds, in a sentence: the function's own."""
        return (self.look.__doc__ or "").strip()


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, and the id of the rule that found it."""

    rule: str
    fault: Fault


def lines(document: Mapping[str, object], *comments: str) -> tuple[str, ...]:
    """The lines of a YAML document, below comments."""
    text = yaml.safe_dump(document, sort_keys=False, width=1000)
    return (*(f"# {it}" for it in comments), *text.splitlines())


def annotation(key: str, value: str) -> tuple[str, ...]:
    """The lines of an annotation."""
    return lines({"metadata": {"annotations": {key: str(value)}}})


def label(key: str, value: str) -> tuple[str, ...]:
    """The lines of a label."""
    return lines({"metadata": {"labels": {key: str(value)}}})


def place(variable: str) -> tuple[str, ...]:
    """The line of a JSON text that has a place for a variable of Flux's."""
    return ("# in its text", f'"{variable}": ${{{variable}:=0}},')
