"""Rows for looking: some of a table's rows out of its parts, reading only the blocks that hold them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from swath.flow.definition import Json
from swath.flow.files.lines import collect, find_more, locate
from swath.flow.files.output import Source
from swath.flow.files.values import write_json
from swath.flow.files.writers import place_cells
from swath.flow.rows.fragments import ROW_END, Block, Part, split_row, unquote
from swath.flow.table import Table

ShownRow = dict[str, Json]


def read_rows(
    table: Table, sources: Iterable[Source], offset: int, limit: int, *, csv: bool
) -> list[ShownRow]:
    """Return up to `limit` rows of a table from row `offset`, every column in each.

    Parts of CSV give texts, an empty one for nothing; others the values, and null for nothing.
    """
    blank: ShownRow = dict.fromkeys(table.header, "" if csv else None)
    rows: list[ShownRow] = []
    for part, block, rows_of, skipped in _locate(sources, offset):
        if len(rows) >= limit:
            break
        rows += rows_of(table, part, block, csv)[skipped : skipped + limit - len(rows)]
    return [blank | row for row in rows]


RowsOf = Callable[[Table, Part, Block, bool], list[ShownRow]]


def _locate(sources: Iterable[Source], offset: int) -> Iterator[tuple[Part, Block, RowsOf, int]]:
    """Yield the blocks from the one with row `offset` on, and how many of each one's rows come before."""
    for part, read in sources:
        if part.rows <= offset:
            offset -= part.rows
            continue
        for block in part.blocks:
            if block.rows <= offset:
                offset -= block.rows
                continue
            yield part, block, partial(_read_block, read), offset
            offset = 0


def _read_block(
    read: Callable[[int, int], bytes], table: Table, part: Part, block: Block, csv: bool
) -> list[ShownRow]:
    data = read(block.offset, block.length)
    return _read_cells(table, part, block, data.decode()) if csv else _read_lines(table, part, data)


def _read_cells(table: Table, part: Part, block: Block, text: str) -> list[ShownRow]:
    header, places = table.header, place_cells(table, part, block)
    apart = list(zip(table.more, place_cells(table, part, block, table.more), strict=True))
    rows = []
    for line in text.split(ROW_END)[: -1 if text else 0]:
        cells = [*map(unquote, split_row(line, block)), ""]
        row = dict(zip(header, (cells[place] for place in places), strict=True))
        if table.more:
            more = {column.name: cells[place] for column, place in apart if cells[place]}
            row[header[-1]] = write_json(more) if more else ""
        rows.append(row)
    return rows


class _Line(msgspec.Struct):
    input: dict[str, msgspec.Raw]
    response: dict[str, msgspec.Raw]


_decode_lines = msgspec.json.Decoder(_Line).decode_lines


def _read_lines(table: Table, part: Part, data: bytes) -> list[ShownRow]:
    shown = list(zip(table.header, locate(table, part, table.columns), strict=True))
    apart = find_more(table, part)
    rows = []
    for line in _decode_lines(data):
        row: ShownRow = {}
        for name, cell in shown:
            cells = line.input if cell is not None and cell.is_input else line.response
            if cell is not None and cell.key in cells:
                row[name] = cells[cell.key]
        if more := collect(apart, line.input, line.response):
            row[table.header[-1]] = more
        rows.append(row)
    return rows
