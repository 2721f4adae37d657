"""From parts to one file per table, streaming: `combine` writes any format that is text.

A part's bytes come through `read(offset, length)` of its shard's file. Blocks are passed on without being
parsed wherever the columns they know are the first of the table's.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import BinaryIO

import msgspec

from swath.flow.definition import Json
from swath.flow.files.lines import choose_rewriter
from swath.flow.files.output import Out, Read, Source, Written
from swath.flow.files.values import batches, iterate_rows, text_of
from swath.flow.rows.cells import guard
from swath.flow.rows.fragments import Block, Part, pick, quote, rearrange, restore
from swath.flow.rows.names import ColumnPath
from swath.flow.table import Column, Table

#: So many rows are written at a time.
BATCH_ROWS = 1_000


def combine_csv(
    table: Table | None,
    sources: Iterable[Source],
    out: BinaryIO,
    *,
    spreadsheet_safe: bool = False,
    typed: bool = False,
) -> Written:
    """Write a table as CSV: UTF-8, `\\n`, quoted where needed. Nothing to show: an empty file.

    `typed`: the parts hold JSON, as they must where columns stand together in one.
    """
    file = Out(out)
    if table is None or not (table.columns or table.rows):
        return file.close(0)
    file.write(_write_line(table.header, guarded=spreadsheet_safe))
    for block in _typed_blocks(table, sources, spreadsheet_safe) if typed else _csv_blocks(table, sources):
        file.write(block)
    return file.close(table.rows)


def _write_line(cells: Sequence[Json], *, guarded: bool) -> bytes:
    """Write a line; one of a single empty cell is `""`, for readers skip a blank line."""
    texts = [guard(cell) if guarded and type(cell) is str else text_of(cell) or "" for cell in cells]
    return b'""\n' if texts == [""] else f"{','.join(map(quote, texts))}\n".encode()


def _typed_blocks(table: Table, sources: Iterable[Source], guarded: bool) -> Iterator[bytes]:
    for rows in batches(iterate_rows(table, sources), BATCH_ROWS):
        yield b"".join(_write_line(row, guarded=guarded) for row in rows)


def _csv_blocks(table: Table, sources: Iterable[Source]) -> Iterator[bytes]:
    write = _plain_blocks if table.is_plain else _picked_blocks
    for part, read in sources:
        yield from write(table, part, read)


def combine_jsonl(table: Table | None, sources: Iterable[Source], out: BinaryIO) -> Written:
    """Write a table as one JSON object per line: `{"input": {...}, "response": {...}}`."""
    file = Out(out)
    for block in _json_blocks(table, sources):
        file.write(block)
    return file.close(table.rows if table else 0)


def combine_json(table: Table | None, sources: Iterable[Source], out: BinaryIO) -> Written:
    """Write a table as one JSON array of the objects that JSONL has in its lines."""
    file = Out(out)
    lead = b"[\n"
    for block in _json_blocks(table, sources):
        file.write(lead + block[:-1].replace(b"\n", b",\n"))
        lead = b",\n"
    file.write(b"\n]\n" if lead == b",\n" else b"[]\n")
    return file.close(table.rows if table else 0)


def _plain_blocks(table: Table, part: Part, read: Read) -> Iterator[bytes]:
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


def _picked_blocks(table: Table, part: Part, read: Read) -> Iterator[bytes]:
    for block in part.blocks:
        yield pick(read(block.offset, block.length), place_cells(table, part, block), block)


def place_cells(table: Table, part: Part, block: Block, columns: Sequence[Column] | None = None) -> list[int]:
    """Return where each column stands among a CSV block's cells; -1: nowhere. Default: those of the file."""
    own = dict(zip(part.own[: block.own], count(), strict=False))
    ancestors = dict(zip(part.ancestors[: block.ancestors], count(block.own), strict=False))
    inputs = block.own + block.ancestors

    def find(column: Column) -> int:
        if column.place < 0 or column.group == "more":
            return -1
        if column.group == "own":
            return own.get(table.own[column.place], -1)
        if column.group == "ancestors":
            return ancestors.get(table.ancestors[column.place], -1)
        return inputs + column.place

    return [find(column) for column in (table.columns if columns is None else columns)]


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
        rewrite = choose_rewriter(table, part) if table else bytes
        for block in part.blocks:
            yield rewrite(read(block.offset, block.length))
