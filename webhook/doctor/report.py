"""What the doctor says, to a person and to a program. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from webhook.doctor.findings import Finding
from webhook.doctor.table import RULES
from webhook.status import wrapped

_BOLD, _RED, _GREEN, _DIM = "1", "31", "32", "2"
_HELP = "docs/doctor.md explains the rules; --skip RULE leaves one out."


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, among how many objects, and what could not be read."""

    findings: Sequence[Finding]
    objects: int
    unread: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def healthy(self) -> bool:
        """Whether everything was read and nothing was found."""
        return not self.findings and not self.unread


def document(report: Report) -> str:
    """The JSON of `--output json`; its fields are in docs/doctor.md."""
    return json.dumps(
        {
            "findings": [_fields(it) for it in report.findings],
            "objects": report.objects,
            "unread": list(report.unread),
            "notes": list(report.notes),
        },
        indent=2,
        ensure_ascii=False,
    )


def text(report: Report, width: int = 0, *, colour: bool = False) -> str:
    """The findings by object, wrapped at `width` columns unless that is 0."""
    paint = Paint(colour)
    by_object = groupby(report.findings, key=lambda it: it.fault.item)
    blocks = [
        *("\n".join(_block(list(found), width, paint)) for _, found in by_object),
        "\n".join(_rest(report, width)),
        _summary(report, width, paint),
    ]
    return "\n\n".join(block for block in blocks if block)


def rules() -> str:
    """Every rule in a line."""
    width = max(len(rule.id) for rule in RULES)
    return "\n".join(f"{rule.id:{width}}  {rule.about}" for rule in RULES)


@dataclass(frozen=True, slots=True)
class Paint:
    """A terminal's colours, where it is one."""

    on: bool

    def __call__(self, text: str, style: str) -> str:
        """The text in a style."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.on and text else text


def _block(found: Sequence[Finding], width: int, paint: Paint) -> Iterator[str]:
    item = found[0].fault.item
    yield paint(str(item), _BOLD) + paint(f"  {item.source}" if item.source else "", _DIM)
    for it in found:
        first, *others = wrapped(f"{it.rule}: {it.fault.harm}.", width and width - 4).split("\n")
        rule, harm = first[: len(it.rule)], first[len(it.rule) :]
        yield f"  {paint(rule, _RED)}{harm}"
        yield from (f"    {line}" for line in others)
        yield from (f"      {paint(line, _GREEN)}" for line in it.fault.fix)


def _rest(report: Report, width: int) -> Iterator[str]:
    for it in report.unread:
        yield wrapped(f"Not read: {it}", width, "  ")
    for it in report.notes:
        yield wrapped(f"Note: {it}", width, "  ")


def _summary(report: Report, width: int, paint: Paint) -> str:
    objects = len({it.fault.item for it in report.findings})
    found = "Nothing found" + (" in what was read" if report.unread else "")
    if report.findings:
        found = f"{_count(len(report.findings), 'finding')} on {_count(objects, 'object')}"
    looked = f"{_count(report.objects, 'object')} looked at by {len(RULES)} rules"
    lines = [f"{found}; {looked}.", *([_HELP] if report.findings else [])]
    return "\n".join(wrapped(it, width) for it in lines).replace(found, paint(found, _BOLD), 1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _fields(it: Finding) -> dict[str, object]:
    item = it.fault.item
    return {
        "rule": it.rule,
        "kind": item.kind,
        "namespace": item.name.namespace or None,
        "name": item.name.name,
        "source": item.source or None,
        "message": it.fault.harm,
        "fix": "\n".join(it.fault.fix),
    }
