"""What commands print: tables and sentences for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from textwrap import fill
from typing import Any

Json = Any

#: Characters of a cell of data that are shown.
WIDEST = 30
#: The width of a table that nobody looks at: whoever reads it line by line finds a row on each.
UNBOUNDED = 1_000_000

#: The format of the result that holds all others.
ARCHIVE = "zip"

#: A text that YAML reads as such without quotes, also between braces.
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def say(text: str) -> None:
    """Tell a person something; results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Json) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Json]], empty: str = "") -> None:
    """Print a table to standard output; where that is no terminal, plain and never cut.

    `empty` tells a person what to do where there are no rows.
    """
    from rich import box  # noqa: PLC0415 - only who prints a table needs it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console() if sys.stdout.isatty() else Console(width=UNBOUNDED)
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold"
    )
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")  # to be copied whole
    for row in rows:
        table.add_row(*(Text(write(cell)) for cell in row))
    console.print(table)
    if empty and not table.rows:
        say(empty)


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Json]]) -> None:
    """Print rows of data as they are; at a terminal the columns that fit, and the names of the others."""
    from rich.console import Console  # noqa: PLC0415 - see print_table

    cells = [[shorten(_data(row[name]), WIDEST) for name in columns] for row in rows]
    widths = [max(map(len, column)) + 2 for column in zip(columns, *cells, strict=True)]
    room = Console().width if sys.stdout.isatty() else UNBOUNDED
    fitting = sum(total < room for total in accumulate(widths)) or 1
    print_table(columns[:fitting], [row[:fitting] for row in cells])
    if fitting < len(columns):
        print(
            fill(f"and {', '.join(columns[fitting:])}", room, break_long_words=False, break_on_hyphens=False)
        )


def _data(value: Json) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def write(value: Json) -> str:
    """Return a value as a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_inline(fields: Mapping[str, Json]) -> str:
    """Return fields as one line of YAML, to be pasted into a formula."""
    return f"{{{', '.join(f'{name}: {_inline(value)}' for name, value in fields.items())}}}"


def _inline(value: Json) -> str:
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value not in ("true", "false", "null")
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def write_size(size: float) -> str:
    """Return bytes as a person reads them."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1_000:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1_000
    return f"{size:,.1f} TB"


def write_extent(file: Mapping[str, Json]) -> str:
    """Return how much a result holds: its rows, which of an archive are those of the files in it."""
    return "all of these files" if file["format"] == ARCHIVE else f"{file['rows']:,} rows"


def write_time(seconds: float) -> str:
    """Return seconds as a person reads them."""
    if seconds < 90:
        return f"{seconds:,.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:,.0f} min"
    return f"{seconds / 3_600:,.1f} h"


def shorten(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
