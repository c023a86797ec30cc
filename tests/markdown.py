"""The docs as data: their blocks, tables, commands and links."""

import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\]\(([^)]+)\)")
_HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that a page tells its reader to type, continued lines joined."""

    page: Path
    line: str

    @property
    def program(self) -> str:
        return self.line.split()[0]

    def __str__(self) -> str:
        return f"{relative(self.page)}: {self.line}"


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def page(name: str) -> str:
    return (DOCS / name).read_text()


def blocks(text: str, language: str) -> list[str]:
    """The text of each block of a language, without the indentation of the list it is in."""
    found = (it for it in _BLOCK.finditer(text) if it["language"] == language)
    return [re.sub(rf"^{it['indent']}", "", it["text"], flags=re.MULTILINE) for it in found]


def rows(markdown: str) -> list[list[str]]:
    """The rows of the one table in the text, without its head."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][2:]


def section(markdown: str, heading: str) -> str:
    """What stands under a heading, up to the next of its rank or a higher one."""
    rank = len(heading) - len(heading.lstrip("#"))
    below = re.split(rf"^{re.escape(heading)}$", markdown, maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(rf"^#{{1,{rank}}} ", below, maxsplit=1, flags=re.MULTILINE)[0]


def commands() -> list[Command]:
    """Every command of every page, in the order of the page."""
    return [
        Command(path, line)
        for path in PAGES
        for block in blocks(path.read_text(), "sh")
        for line in _lines(block)
    ]


def _lines(block: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", block)
    lines = (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def links(path: Path) -> list[tuple[Path, str]]:
    """The file and the anchor of each link that stays in this repository."""
    text = _BLOCK.sub("", path.read_text())
    inner = (link for link in _LINK.findall(text) if "://" not in link)
    parts = (link.partition("#") for link in inner)
    return [((path.parent / file).resolve() if file else path, to) for file, _, to in parts]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_BLOCK.sub("", path.read_text())):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        numbered = (f"{slug}-{number}" for number in count(1))
        found.add(slug if slug not in found else next(it for it in numbered if it not in found))
    return found
