"""The examples of README and documentation: every fenced block, and where it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+) -->\n)?```(?P<language>[a-z]+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """A fenced block; `reason` is why it is not run, as `<!-- not run: ... -->` in the line before says."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def find_examples(*languages: str) -> list[Example]:
    """Return the examples in these languages, page by page."""
    return [each for page in PAGES for each in _read(page) if each.language in languages]


def _read(page: Path) -> Iterator[Example]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Example(page, line, found["language"], found["text"], found["reason"])
