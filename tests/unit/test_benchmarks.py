"""What `make bench` makes of its measurements; that it measures, only running it shows."""

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.results import Comparison, Memory, Results, Size, Spread

DOCUMENT = (Path(__file__).parents[2] / "docs/performance.md").read_text()


def spread(p50: float = 0.01, p99: float = 0.02) -> Spread:
    return Spread(p50, p99, 100)


def results(*, hook: Spread | None = None, idle: float = 0.005, rss: float = 80) -> Results:
    gates = (Comparison(1, False, hook or spread(), spread()),)
    sizes = (Size(1000, spread(), Memory(rss, rss + 20)),)
    return Results("an API server", 0.1, sizes, gates, idle, 60)


def goals(measured: Results) -> list[str]:
    """The last column of the last table."""
    table = report.tables(measured).split("\n\n")[-1]
    return [line.split("|")[-2].strip() for line in table.splitlines()[2:]]


def test_percentiles_are_times_that_were_measured() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 3.0, 3)
    assert Spread.of([*range(1, 201)]) == Spread(100, 198, 200)


REACHED = ["yes"] * 4
MISSED = [
    (results(hook=spread(p50=0.016)), 0),
    (results(hook=spread(p99=0.25)), 1),
    (results(idle=0.01), 2),
    (results(rss=150), 3),
]


def test_a_goal_that_is_reached_says_so() -> None:
    assert goals(results()) == REACHED


@pytest.mark.parametrize(("measured", "goal"), MISSED)
def test_a_goal_that_is_missed_says_so(measured: Results, goal: int) -> None:
    assert goals(measured) == [*REACHED[:goal], "no", *REACHED[goal + 1 :]]


def test_the_tables_replace_the_last_ones_and_nothing_else() -> None:
    once = report.replaced(DOCUMENT, "TABLES OF A RUN")
    assert report.replaced(once, "TABLES OF THE NEXT") == once.replace("A RUN", "THE NEXT")
    assert once.split("\n\n")[0] == DOCUMENT.split("\n\n")[0]
    assert once.endswith(DOCUMENT[-500:])


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no"):
        report.replaced("# What it costs", "tables")


def test_the_document_shows_a_whole_run() -> None:
    for row in ("one caller, others write", "50 canaries at once", "1,000", "memory (RSS)"):
        assert f"| {row}" in DOCUMENT
