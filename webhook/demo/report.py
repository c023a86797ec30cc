"""The end of the demo: a verdict for each scenario, and one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from webhook.demo.replay import Answer
from webhook.demo.verdict import BOUND, Verdict

_KNOWN = "known, it was another webhook that refused in the recording"
_LEGEND = """\
raises     how many, and how long from router to target (median/longest)
announced  falls that Flagger announced: browsers were there before the router
others     falls that it did not announce: how long browsers had more than routed
idle       the client share while no canary ran
answers    ✓ as recorded, ≈ a known difference
"""


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario went: the law, the answers, and whether it was played to its end."""

    name: str
    verdict: Verdict
    answers: tuple[Answer, ...]
    failure: str = ""

    @property
    def differences(self) -> list[Answer]:
        """Answers that were recorded otherwise, but for the known difference."""
        return [it for it in self.answers if not it.as_recorded and not it.known_difference]

    @property
    def known(self) -> list[Answer]:
        """Refusals of another webhook's in the recording."""
        return [it for it in self.answers if not it.as_recorded and it.known_difference]

    @property
    def good(self) -> bool:
        """Whether the law was kept and Flagger was answered as it was."""
        return self.verdict.kept and not self.differences and not self.failure


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the verdicts and the conclusion."""
    console.print(_table(results), Text(_LEGEND, "dim"), *_notes(results), sep="\n")
    console.print()
    console.print(conclusion(results))


def conclusion(results: Sequence[Result]) -> Text:
    """All of it in one sentence."""
    bad = [result.name for result in results if not result.good]
    of = f"{len(results)} scenario{'' if len(results) == 1 else 's'}"
    if bad:
        return Text(f"✗ {len(bad)} of {of} went wrong: {', '.join(bad)}.", "bold red")
    verdicts = [result.verdict for result in results]
    kept = ", ".join(_kept(verdicts))
    law = f"browsers fell {kept}" if kept else "no traffic was taken away"
    return Text(f"✓ The law was kept in {of}: {law}.", "green")


def _kept(verdicts: Sequence[Verdict]) -> list[str]:
    announced = [lag for it in verdicts for lag in it.lags(announced=True)]
    others = [lag for it in verdicts for lag in it.lags(announced=False)]
    kept = []
    if announced:
        kept.append(f"before the router in {_falls(len(announced), 'announced')}")
    if others:
        worst = f"at most {_ms(max(0.0, *others))} after the router ({_ms(BOUND)} allowed)"
        kept.append(f"{worst} in {_falls(len(others), 'unannounced')}")
    return kept


def _falls(number: int, kind: str) -> str:
    return f"{number} {kind} fall{'' if number == 1 else 's'}"


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    headers = ("scenario", "raises", "announced", "others", "idle", "answers", "law")
    for header in headers:
        table.add_column(header, no_wrap=True)
    for result in results:
        table.add_row(*_row(result))
    return table


def _row(result: Result) -> list[RenderableType]:
    verdict = result.verdict
    others = verdict.lags(announced=False)
    return [
        result.name,
        _raises(verdict.raises),
        _announced(verdict.lags(announced=True)),
        f"{len(others)}: {_ms(max(0.0, *others))}" if others else "-",
        Text(f"> 0, {_ms(verdict.idle)}", "red") if verdict.idle else "0 %",
        _answers(result),
        Text("kept", "green") if verdict.kept else Text("BROKEN", "bold red"),
    ]


def _raises(raises: Sequence[float]) -> str:
    if not raises:
        return "-"
    return f"{len(raises)}: {median(raises) * 1000:.0f}/{_ms(max(raises))}"


def _announced(lags: Sequence[float]) -> Text:
    if not lags:
        return Text("-")
    if max(lags) > 0:
        return Text(f"{len(lags)}: {_ms(max(lags))} LATE", "bold red")
    return Text(f"{len(lags)}: {_ms(-max(lags))}")


def _answers(result: Result) -> Text:
    if result.failure:
        return Text("broken off", "bold red")
    if result.differences:
        return Text(f"{len(result.differences)} differ", "bold red")
    known = f" {len(result.known)} ≈" if result.known else ""
    return Text(f"{len(result.answers) - len(result.known)} ✓{known}")


def _notes(results: Sequence[Result]) -> list[Text]:
    notes = []
    for result in results:
        faults = [*result.verdict.violations, *result.differences]
        notes += [_note(result, str(it), "red") for it in faults]
        notes += [_note(result, result.failure, "red")] if result.failure else []
        notes += [_note(result, f"{it}: {_KNOWN}", "dim") for it in result.known[:1]]
    return notes


def _note(result: Result, text: str, style: str) -> Text:
    return Text(f"{result.name}: {text}", style)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
