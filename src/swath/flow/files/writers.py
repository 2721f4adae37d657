"""From parts to one file per table, streaming: `combine` writes any format that is text.

A part's bytes come through `read(offset, length)` of its shard's file. Blocks are passed on without being
parsed wherever the columns they know are the first of the table's.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from swath.flow.rows.cells import guard
from swath.flow.rows.fragments import Part, quote, rearrange, restore
from swath.flow.rows.names import ColumnPath
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


def measure(file: BinaryIO, rows: int) -> Written:
    """Return size and digest of a file that was not written from its beginning to its end."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while data := file.read(1 << 20):
        digest.update(data)
        size += len(data)
    return Written(rows, size, digest.hexdigest())


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
    sizes = len(table.own), len(table.ancestors), len(table.inputs)
    for block in part.blocks:
        rows = read(block.offset, block.length)
        own = _find_places(table.own, part.own[: block.own])
        ancestors = _find_places(table.ancestors, part.ancestors[: block.ancestors])
        known = block
        if own is not None or ancestors is not None:
            rows = rearrange(rows, own, ancestors, block)
            known = msgspec.structs.replace(
                block,
                own=block.own if own is None else sizes[0],
                ancestors=block.ancestors if ancestors is None else sizes[1],
            )
        yield restore(rows, known, *sizes)


def _find_places(whole: Sequence[ColumnPath], columns: Sequence[ColumnPath]) -> list[int] | None:
    """Return the place of each of the table's columns among a block's (-1: unknown there).

    None, where the block's are the table's first: then nothing has to be moved.
    """
    if whole[: len(columns)] == columns:
        return None
    places = {column: place for place, column in enumerate(columns)}
    return [places.get(column, -1) for column in whole]


def _json_blocks(table: Table | None, sources: Iterable[Source]) -> Iterator[bytes]:
    for part, read in sources:
        keys = _match_keys(table, part) if table else {}
        rewrite = _rewriter(keys) if keys else bytes
        for block in part.blocks:
            yield rewrite(read(block.offset, block.length))


def key_names(table: Table, part: Part) -> list[str | None]:
    """Return the part's key of each of the table's columns but the inputs'; None for one that it lacks."""
    own = dict(zip(part.own, part.own_keys, strict=True))
    ancestors = dict(zip(part.ancestors, part.ancestor_keys, strict=True))
    return [own.get(column) for column in table.own] + [ancestors.get(column) for column in table.ancestors]


def _match_keys(table: Table, part: Part) -> dict[str, str]:
    """Return the part's keys and the table's for them, in the table's order; empty, if they agree already."""
    given = dict(zip(part.own + part.ancestors, part.own_keys + part.ancestor_keys, strict=True))
    columns = zip(table.own + table.ancestors, table.keys, strict=True)
    pairs = {given[column]: key for column, key in columns if column in given}
    return {} if list(pairs) == list(pairs.values()) == list(given.values()) else pairs


def _rewriter(keys: dict[str, str]) -> Callable[[bytes], bytes]:
    """Return what brings the keys of JSON lines into the table's order and names.

    Structs do it in msgspec; a key that cannot be made a struct's field goes the way of dictionaries.
    """
    encoder = msgspec.json.Encoder()
    try:
        before, after = _make_row(list(keys)), _make_row(list(keys.values()))
    except ValueError:
        plain = msgspec.json.Decoder(_Line[dict[str, msgspec.Raw]])
        return lambda lines: encoder.encode_lines(
            [_reorder(line, keys) for line in plain.decode_lines(lines)]
        )
    decoder = msgspec.json.Decoder(_Line[before])  # type: ignore[valid-type]
    if list(keys) == list(keys.values()):
        return lambda lines: encoder.encode_lines(decoder.decode_lines(lines))
    return lambda lines: encoder.encode_lines(
        [_Line(line.input, after(*astuple(line.response))) for line in decoder.decode_lines(lines)]
    )


_Row = TypeVar("_Row")


class _Line(msgspec.Struct, Generic[_Row], gc=False):
    input: msgspec.Raw
    response: _Row


def _make_row(keys: list[str]) -> Any:
    """Return a struct whose fields are these keys, each with its JSON as it stands. Raises ValueError."""
    names = {f"f{number}": key for number, key in enumerate(keys)}
    return msgspec.defstruct("Row", [(name, msgspec.Raw, UNSET) for name in names], rename=names, gc=False)


def _reorder(line: Any, keys: dict[str, str]) -> Any:
    row = line.response
    return _Line(line.input, {key: row[given] for given, key in keys.items() if given in row})
