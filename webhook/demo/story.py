"""What Lockstep last did for a canary and why, told from its log lines."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.fields import find
from webhook.kinds import Name
from webhook.reasons import Reason

_QUIET = {"INFO", "DEBUG"}
_ORDINARY_REFUSALS = {Reason.NO_ROLLBACK_REQUESTED}


@dataclass(frozen=True, slots=True)
class Told:
    """A log line in a few words; `routine` is one that need not replace what is shown."""

    text: str
    canary: Name | None = None
    hook: str = ""
    routine: bool = False
    fault: bool = False


def tell(line: str) -> Told | None:
    """What a line of Lockstep's output says; None if it is not one of its log lines."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    if "after" in entry:
        return _change(entry)
    return _hook(entry) if "hook" in entry else _other(entry)


@dataclass(slots=True)
class Story:
    """The latest news of each canary; `faults` are warnings and what is no log line at all."""

    faults: list[str] = field(default_factory=list)
    _latest: dict[Name, Told] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, line: str) -> None:
        """Take in a line of Lockstep's output."""
        told = tell(line)
        with self._lock:
            if told is None or told.fault:
                self.faults.append(line.rstrip())
            if told and told.canary and self._is_news(told.canary, told):
                self._latest[told.canary] = told

    def latest(self, canary: Name) -> str:
        """What Lockstep last did for the canary, empty before the first time."""
        with self._lock:
            told = self._latest.get(canary)
            return told.text if told else ""

    def _is_news(self, canary: Name, told: Told) -> bool:
        shown = self._latest.get(canary)
        # A hook that is approved again replaces its refusal; otherwise it is no news.
        return not told.routine or shown is None or shown.routine or shown.hook == told.hook


def _change(entry: Mapping[str, object]) -> Told:
    text = f"{entry.get('before')} → {entry['after']} %: {_cause(entry)}"
    return Told(text, _canary(entry), fault=_is_fault(entry))


def _cause(entry: Mapping[str, object]) -> str:
    if event := entry.get("event"):
        announced = "announced" if "ceiling" in entry else "Flagger"
        return f"{announced} “{event}”"
    trigger = entry.get("trigger")
    return "seen by the watch" if trigger == "watch" else f"asked by {trigger}"


def _hook(entry: Mapping[str, object]) -> Told:
    hook, verdict, reason = (str(entry.get(key, "")) for key in ("hook", "verdict", "reason"))
    routine = verdict == "approved" and reason != Reason.ROLLBACK_APPROVED
    return Told(
        text=f"{hook} {verdict}: {reason}, {entry.get('message', '')}",
        canary=_canary(entry),
        hook=hook,
        routine=routine or reason in _ORDINARY_REFUSALS,
        fault=_is_fault(entry),
    )


def _other(entry: Mapping[str, object]) -> Told:
    return Told(str(entry.get("message", "")), _canary(entry), fault=_is_fault(entry))


def _is_fault(entry: Mapping[str, object]) -> bool:
    return entry.get("level") not in _QUIET


def _canary(entry: Mapping[str, object]) -> Name | None:
    namespace, name = find(entry, "namespace"), find(entry, "canary")
    return Name(namespace, name) if isinstance(namespace, str) and isinstance(name, str) else None
