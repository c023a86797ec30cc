"""Label and field selectors: `a=b`, `a==b`, `a!=b`, `a`, `!a`, joined by commas."""

import re
from dataclasses import dataclass
from enum import StrEnum

from webhook.demo.errors import bad_request
from webhook.fields import find
from webhook.kinds import EVENT, Kind

_LABEL = re.compile(
    r"\s*(?P<absent>!)?\s*(?P<key>[\w./-]+)\s*(?:(?P<operator>==?|!=)\s*(?P<value>[\w.-]*))?\s*",
    re.ASCII,
)
_FIELD = re.compile(r"(?P<key>[\w.]+)(?P<operator>==?|!=)(?P<value>.*)", re.ASCII)
_FIELDS = frozenset({"metadata.name", "metadata.namespace"})
_EVENT_FIELDS = frozenset(
    {"involvedObject." + field for field in ("kind", "name", "namespace", "uid", "apiVersion")}
    | {"reason", "type", "source", "reportingComponent"}
)


class Operator(StrEnum):
    """What a requirement asks of the value; `!=` holds where there is none, too."""

    EQUALS = "="
    DIFFERS = "!="
    EXISTS = "exists"
    ABSENT = "!"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on the value at a path."""

    path: tuple[str, ...]
    operator: Operator
    value: str = ""

    def holds(self, obj: object) -> bool:
        """Whether the object meets it."""
        actual = find(obj, *self.path)
        match self.operator:
            case Operator.EQUALS:
                return actual == self.value
            case Operator.DIFFERS:
                return actual != self.value
            case Operator.EXISTS:
                return actual is not None
            case Operator.ABSENT:
                return actual is None


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions that all have to hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, obj: object) -> bool:
        """Whether the object meets every requirement."""
        return all(requirement.holds(obj) for requirement in self.requirements)

    def __add__(self, other: "Selector") -> "Selector":
        return Selector(self.requirements + other.requirements)


EVERYTHING = Selector()


def labels(text: str) -> Selector:
    """The label selector that the text spells.

    Raises:
        StoreError: 400, it is not one of the supported forms (`in` and `notin` are not).
    """
    return Selector(tuple(_label(term) for term in text.split(",") if text.strip()))


def fields(text: str, kind: Kind) -> Selector:
    """The field selector that the text spells, for the fields that the kind can be selected by.

    Raises:
        StoreError: 400, it has another form or names a field that the real server refuses.
    """
    return Selector(tuple(_field(term, kind) for term in text.split(",") if text.strip()))


def _label(term: str) -> Requirement:
    found = _LABEL.fullmatch(term)
    if found is None or (found["absent"] and found["operator"]):
        raise bad_request(f"unable to parse requirement: found '{term}', which is not supported")
    path = ("metadata", "labels", found["key"])
    if found["operator"]:
        return Requirement(path, _comparison(found["operator"]), found["value"])
    return Requirement(path, Operator.ABSENT if found["absent"] else Operator.EXISTS)


def _field(term: str, kind: Kind) -> Requirement:
    found = _FIELD.fullmatch(term)
    if found is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    if found["key"] not in (_FIELDS | _EVENT_FIELDS if kind == EVENT else _FIELDS):
        raise bad_request(f"field label not supported: {found['key']}")
    return Requirement(
        tuple(found["key"].split(".")), _comparison(found["operator"]), found["value"]
    )


def _comparison(operator: str) -> Operator:
    return Operator.DIFFERS if operator == "!=" else Operator.EQUALS
