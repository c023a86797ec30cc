"""The tables of docs/performance.md."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import Comparison, Results, Size, Spread

_BEGIN = "<!-- make bench writes from here -->"
_END = "<!-- to here -->"

_RATIO = 1.5
_P99 = 0.25
_IDLE = 0.01
_MEMORY = 150


def tables(results: Results) -> str:
    """Everything that was measured, as Markdown."""
    return "\n\n".join([_circumstances(results), _gates(results), _sizes(results), _goals(results)])


def replaced(document: str, text: str) -> str:
    """The document with `text` between its marks.

    Raises:
        ValueError: the marks are not there.
    """
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"there is no {_BEGIN} … {_END} to write between")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def _circumstances(results: Results) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    cores = f"{os.cpu_count()} cores of {_processor()}"
    python = f"Python {platform.python_version()}"
    load = f"load average {results.load:.1f} before it began"
    return f"Measured {now} against {results.api_server}, all on {cores}; {python}; {load}."


def _gates(results: Results) -> str:
    most = results.sizes[-1].canaries
    return _table(
        f"`/confirm-traffic-increase` in step, {most:,} canaries",
        ("p50", "p99", "bare API calls p50", "p99", "ratio at p50"),
        (
            (_callers(it), _ms(it.hook.p50), _ms(it.hook.p99), *_spread(it.bare), _ratio(it))
            for it in results.gates
        ),
    )


def _sizes(results: Results) -> str:
    return _table(
        "canaries in the store",
        ("router to target p50", "p99", "RSS", "PSS", "idle, of one core"),
        (
            (f"{it.canaries:,}", *_spread(it.follow), *_memory(it), _idle(results, it))
            for it in results.sizes
        ),
    )


def _goals(results: Results) -> str:
    largest = results.sizes[-1]
    slowest = max(it.hook.p99 for it in results.gates)
    worst = max(it.ratio for it in results.gates)
    rows = (
        ("a gate's p50, times the bare calls", f"≤ {_RATIO}", f"{worst:.2f}", worst <= _RATIO),
        ("a gate's p99", f"< {_ms(_P99)}", _ms(slowest), slowest < _P99),
        (
            f"CPU at rest, {largest.canaries:,} canaries",
            f"< {_IDLE:.0%} of a core",
            f"{results.idle:.2%}",
            results.idle < _IDLE,
        ),
        (
            f"memory (RSS), {largest.canaries:,} canaries",
            f"< {_MEMORY} MB",
            f"{largest.memory.rss:.0f} MB",
            largest.memory.rss < _MEMORY,
        ),
    )
    cells = ((name, goal, found, "yes" if reached else "no") for name, goal, found, reached in rows)
    return _table("goal", ("", "worst case measured", "reached"), cells)


def _table(first: str, others: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [(first, *others), ("---", *["---"] * len(others)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _callers(comparison: Comparison) -> str:
    callers = comparison.callers
    who = "one caller" if callers == 1 else f"{callers} canaries at once"
    return f"{who}, others write" if comparison.busy else who


def _spread(spread: Spread) -> tuple[str, str]:
    return _ms(spread.p50), _ms(spread.p99)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.{1 if seconds < 0.1 else 0}f} ms"  # noqa: PLR2004 - three digits


def _ratio(comparison: Comparison) -> str:
    return f"{comparison.ratio:.2f}"


def _memory(size: Size) -> tuple[str, str]:
    return f"{size.memory.rss:.0f} MB", f"{size.memory.pss:.0f} MB"


def _idle(results: Results, size: Size) -> str:
    if size is not results.sizes[-1]:
        return ""
    return f"{results.idle:.2%} over {results.idle_seconds:.0f} s"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
