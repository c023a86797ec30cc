"""The measured tables: printed at a run's end, kept, and put into the docs by `make proof`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "proof"
DOCUMENT = ROOT / "docs" / "proof.md"
_WRITTEN: list[str] = []


def write(name: str, table: str) -> None:
    """Keep a table under its name: that of its place in docs/proof.md."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    (FOLDER / f"{name}.md").write_text(f"Measured on {today}.\n\n{table}\n")
    _WRITTEN.append(f"{name}\n\n{table}\n")


def rows(table: Mapping[str, str], head: tuple[str, str]) -> str:
    """Markdown of two columns."""
    return "\n".join(
        f"| {what} | {value} |" for what, value in [head, ("---", "---"), *table.items()]
    )


def written() -> list[str]:
    """The tables of this run."""
    return _WRITTEN


def publish() -> None:
    """Put the tables of the last run into their places in docs/proof.md."""
    text = DOCUMENT.read_text()
    for file in sorted(FOLDER.glob("*.md")):
        begin, end = f"<!-- {file.stem} -->\n", f"<!-- /{file.stem} -->"
        if begin not in text or end not in text:
            sys.exit(
                f"{DOCUMENT}: there is no place for {file.stem}: add {begin.strip()} and {end}"
            )
        head, rest = text.split(begin, 1)
        text = f"{head}{begin}\n{file.read_text()}\n{end}{rest.split(end, 1)[1]}"
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    publish()
