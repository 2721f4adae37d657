"""From parts to one file per table, streaming: `combine` writes any format that is text.

A part's bytes come through `read(offset, length)` of its shard's file. Blocks are passed on without being
parsed wherever the columns they know are the first of the table's.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from swath.flow.cells import guard
from swath.flow.fragments import Block, Part, quote, restore, split_cells, split_rows, write_row
from swath.flow.names import ColumnPath
from swath.flow.table import Table

#: Reads a range of a shard's file: offset, length.
Read = Callable[[int, int], bytes]
Source = tuple[Part, Read]


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a file."""

    rows: int
    bytes: int
    sha256: str


class _Out:
    """A file that knows its size and digest."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self._size += len(data)

    def close(self, rows: int) -> Written:
        return Written(rows, self._size, self._digest.hexdigest())


def combine_csv(
    table: Table | None, sources: Iterable[Source], out: BinaryIO, *, spreadsheet_safe: bool = False
) -> Written:
    """Write a table as CSV: UTF-8, `\\n`, quoted where needed. No table: an empty file."""
    file = _Out(out)
    if table is None:
        return file.close(0)
    names = [guard(name) if spreadsheet_safe else name for name in table.header]
    header = '""' if names == [""] else ",".join(map(quote, names))
    file.write(f"{header}\n".encode())
    for part, read in sources:
        for block in _csv_blocks(table, part, read):
            file.write(block)
    return file.close(table.rows)


def combine_jsonl(table: Table | None, sources: Iterable[Source], out: BinaryIO) -> Written:
    """Write a table as one JSON object per line: `{"input": {...}, "response": {...}}`."""
    file = _Out(out)
    for block in _json_blocks(table, sources):
        file.write(block)
    return file.close(table.rows if table else 0)


def combine_json(table: Table | None, sources: Iterable[Source], out: BinaryIO) -> Written:
    """Write a table as one JSON array of the objects that JSONL has in its lines."""
    file = _Out(out)
    lead = b"[\n"
    for block in _json_blocks(table, sources):
        file.write(lead + block[:-1].replace(b"\n", b",\n"))
        lead = b",\n"
    file.write(b"\n]\n" if lead == b",\n" else b"[]\n")
    return file.close(table.rows if table else 0)


def _csv_blocks(table: Table, part: Part, read: Read) -> Iterator[bytes]:
    aligned = _starts(table.own, part.own) and _starts(table.ancestors, part.ancestors)
    size = len(table.own), len(table.ancestors), len(table.inputs)
    for block in part.blocks:
        rows = read(block.offset, block.length)
        if aligned or _fits(table, part, block):
            yield restore(rows, block, *size)
        else:
            moved = msgspec.structs.replace(block, own=size[0], ancestors=size[1], inputs=size[2])
            yield restore(_move_cells(rows, table, part, block), moved, *size)


def _starts(whole: Sequence[ColumnPath], head: Sequence[ColumnPath]) -> bool:
    return whole[: len(head)] == head


def _fits(table: Table, part: Part, block: Block) -> bool:
    return _starts(table.own, part.own[: block.own]) and _starts(
        table.ancestors, part.ancestors[: block.ancestors]
    )


def _move_cells(rows: bytes, table: Table, part: Part, block: Block) -> bytes:
    """Bring the cells of a block into the table's order."""
    own = _places(table.own, part.own[: block.own])
    ancestors = _places(table.ancestors, part.ancestors[: block.ancestors])
    moved = (
        write_row(_place(first, own, len(table.own)), _join(second, ancestors, len(table.ancestors)), inputs)
        for first, second, inputs in split_rows(rows)
    )
    return "".join(moved).encode()


def _places(whole: Sequence[ColumnPath], columns: Sequence[ColumnPath]) -> list[int]:
    place = {column: index for index, column in enumerate(whole)}
    return [place[column] for column in columns]


def _place(group: str, places: list[int], size: int) -> list[str]:
    cells = [""] * size
    for place, cell in zip(places, split_cells(group, len(places)), strict=True):
        cells[place] = cell
    return cells


def _join(group: str, places: list[int], size: int) -> str:
    return ",".join(_place(group, places, size))


def _json_blocks(table: Table | None, sources: Iterable[Source]) -> Iterator[bytes]:
    for part, read in sources:
        keys = _keys(table, part) if table else {}
        for block in part.blocks:
            lines = read(block.offset, block.length)
            yield _rewrite(lines, keys) if keys else lines


def _keys(table: Table, part: Part) -> dict[str, str]:
    """Return the part's keys and the table's for them, in the table's order; empty, if they agree already."""
    given = dict(
        zip(part.own + part.ancestors, part.own_keys + part.ancestor_keys, strict=True),
    )
    columns = zip(table.own + table.ancestors, table.keys, strict=True)
    pairs = {given[column]: key for column, key in columns if column in given}
    return {} if list(pairs) == list(pairs.values()) == list(given.values()) else pairs


class _Line(msgspec.Struct):
    input: msgspec.Raw
    response: dict[str, msgspec.Raw]


def _rewrite(lines: bytes, keys: dict[str, str]) -> bytes:
    """Bring the keys of JSON lines into the table's order and names."""
    decoded = msgspec.json.Decoder(_Line).decode_lines(lines)
    for line in decoded:
        row = line.response
        line.response = {key: row[given] for given, key in keys.items() if given in row}
    return msgspec.json.Encoder().encode_lines(decoded)
