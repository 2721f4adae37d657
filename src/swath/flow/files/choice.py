"""The values of a few of a table's columns, row by row: what another list of inputs is made of."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter

import msgspec

from swath.flow.files.lines import locate
from swath.flow.files.output import Source
from swath.flow.files.writers import place_cells
from swath.flow.rows.cells import guard
from swath.flow.rows.fragments import ROW_END, Block, Part, split_row, unquote
from swath.flow.table import Column, Table

#: A cell: a text; of typed parts a value as JSON has it, unless that is a text; None for nothing.
Cell = str | msgspec.Raw | None
Cells = tuple[Cell, ...]


def find_column(table: Table, name: str) -> Column | None:
    """Return the column of a name: as a header has it, as its path is, or without the table's own name."""
    known = [*(column for column in table.columns if column.group != "more"), *table.more]
    for wanted in (name, f"{table.name}.{name}"):
        for column in known:
            if wanted in (column.name, column.path):
                return column
    return None


def read_cells(
    table: Table, sources: Iterable[Source], columns: Sequence[Column], *, csv: bool, guarded: bool
) -> Iterator[list[Cells]]:
    """Yield the cells of all rows in order, a block of rows at a time.

    `guarded`: texts of CSV parts may have got an apostrophe for spreadsheets, which is taken away.
    """
    for part, read in sources:
        for block in part.blocks:
            data = read(block.offset, block.length)
            if csv:
                rows = _read_csv(table, part, block, columns, data.decode())
                yield list(map(_unguard, rows)) if guarded else rows
            else:
                yield _read_lines(table, part, columns, data)


def write_cell(cell: Cell) -> str | None:
    """Return a cell as CSV has it: numbers as they were written, nothing for an empty text."""
    if isinstance(cell, msgspec.Raw):
        return bytes(cell).decode()
    return cell or None


def _read_csv(table: Table, part: Part, block: Block, columns: Sequence[Column], text: str) -> list[Cells]:
    places = place_cells(table, part, block, columns)
    take: Callable[[list[str]], tuple[str, ...]] = (
        itemgetter(*places) if len(places) > 1 else lambda cells: (cells[places[0]],)
    )
    lines = text.split(ROW_END)[: -1 if text else 0]
    return [tuple(map(_read_cell, take([*split_row(line, block), ""]))) for line in lines]


def _read_cell(cell: str) -> str | None:
    return unquote(cell) or None


def _unguard(cells: Cells) -> Cells:
    def bare(cell: Cell) -> Cell:
        return cell[1:] if isinstance(cell, str) and guard(cell[1:]) == cell else cell

    return tuple(map(bare, cells))


class _Line(msgspec.Struct):
    input: dict[str, msgspec.Raw]
    response: dict[str, msgspec.Raw]


_decode_lines = msgspec.json.Decoder(_Line).decode_lines
_decode_text = msgspec.json.Decoder(str).decode


def _read_lines(table: Table, part: Part, columns: Sequence[Column], data: bytes) -> list[Cells]:
    cells = locate(table, part, columns)
    return [
        tuple(
            None
            if cell is None
            else _read_raw((line.input if cell.is_input else line.response).get(cell.key))
            for cell in cells
        )
        for line in _decode_lines(data)
    ]


def _read_raw(raw: msgspec.Raw | None) -> Cell:
    if raw is None or (data := bytes(raw)) == b"null":
        return None
    return _decode_text(data) or None if data[:1] == b'"' else raw.copy()
