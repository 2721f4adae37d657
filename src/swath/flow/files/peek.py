"""Rows for looking: some of a table's rows out of its parts, reading only the blocks that hold them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from swath.flow.definition import Json
from swath.flow.files.writers import Source
from swath.flow.rows.fragments import (
    ANCESTORS_END,
    OWN_END,
    ROW_END,
    Block,
    Part,
    split_cells,
    unescape_marks,
)
from swath.flow.rows.names import ColumnPath
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


def _name_columns(table: Table) -> tuple[dict[ColumnPath, str], dict[ColumnPath, str]]:
    """Return the names of the table's own columns and of its ancestors'."""
    own = dict(zip(table.own, table.header, strict=False))
    return own, dict(zip(table.ancestors, table.header[len(table.own) :], strict=False))


def _read_cells(table: Table, part: Part, block: Block, text: str) -> list[ShownRow]:
    own, ancestors = _name_columns(table)
    names = [own[column] for column in part.own[: block.own]]
    names += [ancestors[column] for column in part.ancestors[: block.ancestors]]
    names += table.header[len(table.own) + len(table.ancestors) :]
    return [
        dict(zip(names, _split(row, block), strict=True)) for row in text.split(ROW_END)[: -1 if text else 0]
    ]


def _split(row: str, block: Block) -> list[str]:
    own, rest = row.split(OWN_END)
    ancestors, inputs = rest.split(ANCESTORS_END)
    cells = split_cells(own, block.own) + split_cells(ancestors, block.ancestors)
    return [_unquote(cell) for cell in cells + split_cells(inputs, block.inputs)]


def _unquote(cell: str) -> str:
    plain = cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
    return unescape_marks(plain)


class _Line(msgspec.Struct):
    input: dict[str, msgspec.Raw]
    response: dict[str, msgspec.Raw]


_decode_lines = msgspec.json.Decoder(_Line).decode_lines


def _read_lines(table: Table, part: Part, data: bytes) -> list[ShownRow]:
    own, ancestors = _name_columns(table)
    names = {key: own[column] for column, key in zip(part.own, part.own_keys, strict=True)}
    given = zip(part.ancestors, part.ancestor_keys, strict=True)
    names |= {key: ancestors[column] for column, key in given}
    inputs = dict(zip(table.inputs, table.header[len(table.own) + len(table.ancestors) :], strict=True))
    return [
        {names[key]: value for key, value in line.response.items()}
        | {inputs[name]: value for name, value in line.input.items()}
        for line in _decode_lines(data)
    ]
