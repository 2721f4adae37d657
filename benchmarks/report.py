"""RESULTS.md: a section per part, each with the command that made it, and NOTES.md at the end."""

import os
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.choice import Choice

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
_HEAD = "# What it costs\n\nWritten by `make bench`; each section says by which command, when and where.\n"
_SECTION = re.compile(r"^<!-- (\w+) -->\n(.*?)(?=^<!-- \w+ -->\n|\Z)", re.MULTILINE | re.DOTALL)


def keep(part: str, section: str, order: Sequence[str]) -> None:
    """Put a part's section in the place of its last one; the other parts' stay."""
    known = dict(_SECTION.findall(RESULTS.read_text())) if RESULTS.exists() else {}
    known[part] = section
    sections = "".join(f"\n<!-- {name} -->\n{known[name].strip()}\n" for name in order if name in known)
    notes = (HERE / "NOTES.md").read_text().strip()
    RESULTS.write_text(f"{_HEAD}{sections}\n<!-- notes -->\n{notes}\n")


def origin(part: str, choice: Choice, before: float) -> str:
    """Say by which command a section was made, when and where; `before` is the load before."""
    command = f"python -m benchmarks {part} --rounds {choice.rounds} --scale {choice.scale:g}"
    return (
        f"`{command}`, {time.strftime('%Y-%m-%d %H:%M')}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, load {before:.1f} before and {os.getloadavg()[0]:.1f} after."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
