"""The items of an uploaded file: CSV, JSON lines or plain lines, read as a stream.

Of one chosen column come texts, of several (or none chosen) JSON objects. As with every change to a
collection, all of the file is read, and its items are prepared, before any is applied.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import PurePath
from typing import IO, Any, Literal, NoReturn

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.items import Kind, digest_object, digest_text, write_object
from swath.store.spool import Spool

FileFormat = Literal["csv", "jsonl", "text"]

#: Characters of one line, and arrays and objects inside of each other.
LONGEST_LINE = 1 << 20
DEEPEST = 100
#: What may stand between two cells, the likelier first.
DELIMITERS = ",;\t|"
#: By content type, then by the end of the file's name.
_FORMATS: dict[str, FileFormat] = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """How a file is to be read. Without a format it is found out; `columns` are names, or numbers from 1."""

    format: FileFormat | None = None
    columns: Sequence[str] = ()
    #: Whether the first line of a CSV file holds the names of its columns.
    header: bool = True
    delimiter: str | None = None
    encoding: str = "utf-8"


def format_of(content_type: str, name: str = "") -> FileFormat | None:
    """Return the format that a content type or a file's name tells, None where neither does."""
    kind = content_type.partition(";")[0].strip().lower()
    return _FORMATS.get(kind) or _FORMATS.get(PurePath(name).suffix.lower())


def read_upload(file: IO[bytes], spool: Spool, upload: Upload) -> int:
    """Read a file's items into the spool; return how many lines were blank. Raises InvalidInput."""
    reader = _Reader(_open(file, upload.encoding), spool, upload)
    try:
        return reader.read()
    except UnicodeError:
        message = f"Line {reader.line + 1} is no text in {upload.encoding}; name the file's own `encoding`."
        raise InvalidInput("file", message) from None
    except csv.Error as error:
        raise InvalidInput("file", f"Line {reader.line}: {error}.") from None


def _open(file: IO[bytes], encoding: str) -> io.TextIOWrapper:
    try:
        name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        return io.TextIOWrapper(file, encoding=name, newline="")
    except LookupError:
        message = f"{encoding!r} is no encoding of texts; it is one like utf-8, latin-1 or utf-16."
        raise InvalidInput("encoding", message) from None


class _Reader:
    """Goes through one file, once."""

    def __init__(self, text: io.TextIOWrapper, spool: Spool, upload: Upload) -> None:
        self._text = text
        self._spool = spool
        self._upload = upload
        self._blank = 0
        #: The number of the line last read.
        self.line = 0

    def read(self) -> int:
        lines = self._lines()
        first = self._skip_blank(lines)
        if first is not None:
            lines = chain([first], lines)
            kind = self._upload.format or _guess(first, self._upload)
            {"csv": self._read_csv, "jsonl": self._read_json, "text": self._read_text}[kind](first, lines)
        self._spool.finish()
        self._text.detach()  # the file is closed by who opened it
        return self._blank

    def _lines(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise InvalidInput("file", f"Line {self.line + 1} is longer than {LONGEST_LINE} characters.")
            self.line += 1
            yield line

    def _skip_blank(self, lines: Iterator[str]) -> str | None:
        """Return the first line that says anything, which tells how to read the others."""
        for line in lines:
            if line.strip():
                return line
            self._blank += 1
        return None

    # --- plain lines

    def _read_text(self, first: str, lines: Iterator[str]) -> None:
        if self._upload.columns:
            message = "A file of plain lines has no columns; say `format=csv`, or leave it out."
            raise InvalidInput("column", message)
        for line in lines:
            self._add_text(line.rstrip("\r\n"))

    def _add_text(self, value: str) -> None:
        if value.strip():
            self._add("text", digest_text(value), value)
        else:
            self._blank += 1

    # --- CSV

    def _read_csv(self, first: str, lines: Iterator[str]) -> None:
        rows = csv.reader(lines, delimiter=self._delimiter(first), strict=True)
        head = next(rows)
        names = [name.strip() for name in head] if self._upload.header else _number(len(head))
        chosen = self._choose(names)
        if not self._upload.header:
            self._take_row(head, names, chosen)
        for row in rows:
            self._take_row(row, names, chosen)

    def _delimiter(self, first: str) -> str:
        given = self._upload.delimiter
        if given is None:
            return max(DELIMITERS, key=first.count)
        if len(given) != 1 or given in '"\r\n':
            raise InvalidInput("delimiter", "Must be one character, and no quote.")
        return given

    def _choose(self, names: list[str]) -> list[int]:
        """Return the places of the chosen columns; all where none is chosen."""
        chosen = [self._place(wanted, names) for wanted in self._upload.columns] or list(range(len(names)))
        if len(chosen) > 1:
            doubled = {name for name in (names[place] for place in chosen) if names.count(name) > 1}
            if doubled:
                raise InvalidInput("column", f"There are several columns {doubled.pop()!r}; choose others.")
        return chosen

    def _place(self, wanted: str, names: list[str]) -> int:
        if wanted in names:
            return names.index(wanted)
        if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
            return int(wanted) - 1
        raise InvalidInput("column", f"There is no column {wanted!r}; the file has: {', '.join(names)}.")

    def _take_row(self, row: list[str], names: list[str], chosen: list[int]) -> None:
        if not any(cell.strip() for cell in row):
            self._blank += 1
            return
        if len(row) > len(names):
            raise self._refuse(f"has {len(row)} cells, the first one {len(names)}: look at the delimiter")
        cells = [row[place] if place < len(row) else "" for place in chosen]
        if len(chosen) == 1:
            self._add_text(cells[0])
        else:
            self._add_object({names[place]: cell for place, cell in zip(chosen, cells, strict=True)})

    # --- JSON lines

    def _read_json(self, first: str, lines: Iterator[str]) -> None:
        for line in lines:
            if line.strip():
                self._take_json(line.strip())
            else:
                self._blank += 1

    def _take_json(self, line: str) -> None:
        columns = self._upload.columns
        # One column becomes a text, its numbers as they are written; objects keep numbers, exactly.
        value = self._decode(line, str if len(columns) == 1 else Decimal)
        if isinstance(value, dict) and len(columns) == 1:
            self._add_cell(value.get(columns[0]), columns[0])
        elif isinstance(value, dict):
            self._add_object({name: value.get(name) for name in columns} if columns else value)
        elif columns:
            raise self._refuse("is no object, so it has no columns")
        elif isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            self._add_text(line)
        else:
            raise self._refuse("is neither a text, a number nor an object")

    def _decode(self, line: str, number: Any) -> Json:
        integer = str if number is str else int
        try:
            value = json.loads(line, parse_float=number, parse_int=integer, parse_constant=_refuse_constant)
        except ValueError:
            raise self._refuse("is not JSON") from None
        except RecursionError:
            raise self._refuse("is nested too deeply") from None
        if _depth(value, 0) > DEEPEST:
            raise self._refuse("is nested too deeply")
        return value

    def _add_cell(self, value: Json, column: str) -> None:
        if value is None:
            self._blank += 1
        elif isinstance(value, str):
            self._add_text(value)
        else:
            raise self._refuse(f"has no text and no number at {column!r}")

    def _refuse(self, problem: str) -> InvalidInput:
        return InvalidInput("file", f"Line {self.line} {problem}.")

    # --- all

    def _add_object(self, value: dict[str, Json]) -> None:
        self._add("json", digest_object(value), write_object(value))

    def _add(self, kind: Kind, digest: bytes, value: str) -> None:
        if self._spool.kind is None:
            self._spool.kind = kind
        elif kind != self._spool.kind:
            raise self._refuse("is not the kind of item that those before are: do not mix texts and objects")
        self._spool.add(digest, value)


def _guess(first: str, upload: Upload) -> FileFormat:
    """Tell the format by the first line."""
    if first.lstrip().startswith("{"):
        return "jsonl"
    return "csv" if upload.columns or any(mark in first for mark in DELIMITERS) else "text"


def _number(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _depth(value: Json, depth: int) -> int:
    """Return how deep a value is nested, or any number beyond the deepest."""
    if depth > DEEPEST or not isinstance(value, dict | list):
        return depth
    parts = value.values() if isinstance(value, dict) else value
    return max((_depth(part, depth + 1) for part in parts), default=depth + 1)
