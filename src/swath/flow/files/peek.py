"""Rows for looking: some of a table's rows out of its parts, reading only the blocks that hold them."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

import msgspec

from swath.flow.definition import Json
from swath.flow.files.lines import collect, find_more, locate
from swath.flow.files.output import Source
from swath.flow.files.values import write_json
from swath.flow.files.writers import place_cells
from swath.flow.rows.fragments import ROW_END, Block, Part, split_row, unquote
from swath.flow.table import Column, Table

ShownRow = dict[str, Json]

_VALUE: Final = re.compile(r"true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)


def read_rows(
    table: Table, sources: Iterable[Source], offset: int, limit: int, *, csv: bool
) -> list[ShownRow]:
    """Return up to `limit` rows of a table from row `offset`, every column in each.

    The values are those of the answers, and null for nothing. Where parts of CSV do not tell them from texts,
    as in a column that has both, they are texts, an empty one for nothing.
    """
    blank: ShownRow = {
        column.name: "" if csv and _is_text(table, column) else None for column in table.columns
    }
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
    typed = [column.name for column in table.columns if not _is_text(table, column)]
    apart = list(zip(table.more, place_cells(table, part, block, table.more), strict=True))
    rows = []
    for line in text.split(ROW_END)[: -1 if text else 0]:
        cells = [*map(unquote, split_row(line, block)), ""]
        row: ShownRow = dict(zip(header, (cells[place] for place in places), strict=True))
        for name in typed:
            row[name] = _value(row[name])
        if table.more:
            more = {column.name: cells[place] for column, place in apart if cells[place]}
            row[header[-1]] = write_json(more) if more else ""
        rows.append(row)
    return rows


def _is_text(table: Table, column: Column) -> bool:
    """Tell whether a cell of CSV may stand for a text, as far as its column was counted."""
    kinds = table.kinds(column)
    return "string" in kinds or not kinds


def _value(cell: str) -> Json:
    """Return what a cell of numbers or truths stands for: a number as it is written."""
    return None if cell == "" else msgspec.Raw(cell) if _VALUE.fullmatch(cell) else cell


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
