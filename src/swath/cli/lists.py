"""Lists in files: of one column texts, of several objects."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swath.cli.failures import Wrong
from swath.cli.options import read_text

Json = Any


def read_list(path: Path, column: str | None = None) -> list[Json]:
    """Return the items of a file: CSV (or TSV), JSON, JSON lines, else one text per line.

    Raises Wrong where the file or the column is not there.
    """
    text, kind = read_text(path), path.suffix.lower()
    if kind in (".csv", ".tsv"):
        return _read_table(path, text, "\t" if kind == ".tsv" else None, column)
    if kind in (".jsonl", ".ndjson"):
        return _pick(path, [_load(path, line, number) for number, line in _lines(text)], column)
    if kind == ".json":
        value = _load(path, text, 1)
        if not isinstance(value, list):
            raise Wrong(f"{path}: must hold a list.")
        return _pick(path, value, column)
    if column is not None:
        raise Wrong(f"{path}: has no columns; name a .csv, .json or .jsonl file, or leave :{column} out.")
    return [line.strip() for _, line in _lines(text)]


def read_place(given: str) -> tuple[Path, str | None]:
    """Return file and column of `file.csv:column`; a file whose own name holds a colon is taken as it is."""
    path, colon, column = given.rpartition(":")
    if not colon or Path(given).exists() or len(path) == 1:  # C:\...
        return Path(given), None
    return Path(path), column


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _read_table(path: Path, text: str, delimiter: str | None, column: str | None) -> list[Json]:
    first = text.partition("\n")[0]
    delimiter = delimiter or max(",;\t|", key=first.count)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    names = list(rows[0]) if rows else []
    if column is None and len(names) == 1:
        column = names[0]
    return _pick(path, [{name: row[name] or "" for name in names} for row in rows], column, names)


def _pick(path: Path, items: list[Json], column: str | None, names: Sequence[str] = ()) -> list[Json]:
    if column is None:
        return items
    known = names or [*dict.fromkeys(name for item in items if isinstance(item, dict) for name in item)]
    if items and column not in known:
        listed = f"There are: {', '.join(known)}." if known else "Its items are no objects."
        raise Wrong(f"{path}: has no column {column!r}. {listed}")
    return [item[column] for item in items if item.get(column) not in (None, "")]


def _load(path: Path, text: str, line: int) -> Json:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Wrong(f"{path}:{line + error.lineno - 1}: not JSON: {error.msg}.") from None
