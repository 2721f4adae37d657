"""A table as an Excel workbook: nothing in it is run, and it holds no moment of its making.

Texts are written as texts, whatever they begin with. A number that Excel would round (it keeps 15 digits) is
written as text, too. Rows beyond a sheet's limit go on in another sheet; columns beyond it stand together as
JSON in the last one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any, BinaryIO

import msgspec
from xlsxwriter import Workbook

from swath.flow.definition import Json
from swath.flow.files.values import Number, is_exact, iterate_rows, text_of
from swath.flow.files.writers import Source, Written, measure
from swath.flow.table import Table

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
#: Characters of a cell; what is longer is cut, for Excel would refuse the file.
MOST_CHARACTERS = 32_767
_DIGITS = 15
_REST = "more"


def combine_xlsx(
    table: Table | None,
    sources: Iterable[Source],
    out: BinaryIO,
    *,
    most_rows: int = MOST_ROWS,
    most_columns: int = MOST_COLUMNS,
) -> Written:
    """Write a table as a workbook. No table: one empty sheet."""
    book = Workbook(out, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(2000, 1, 1)})
    if table is None:
        book.add_worksheet()
    else:
        header = _narrow(table.header, table.header, most_columns)
        rows = iterate_rows(table, sources)
        for first in chain([next(rows, None)], rows):
            most = [] if first is None else chain([first], islice(rows, most_rows - 2))
            _write_sheet(book, table, header, most, most_columns)
    book.close()
    return measure(out, table.rows if table else 0)


def _write_sheet(
    book: Workbook, table: Table, header: Sequence[str], rows: Iterable[list[Json]], most_columns: int
) -> None:
    sheet: Any = book.add_worksheet()
    for place, name in enumerate(header):
        sheet.write_string(0, place, name)
    for number, row in enumerate(rows, 1):
        for place, value in enumerate(_narrow(row, table.header, most_columns)):
            _write_cell(sheet, number, place, value)


def _narrow(row: Sequence[Json], header: Sequence[str], most: int) -> Sequence[Json]:
    """Return a row whose last column holds, as JSON, those that a sheet has no room for."""
    if len(header) <= most:
        return row
    if row is header:
        return [*header[: most - 1], _REST]
    rest = dict(zip(header[most - 1 :], row[most - 1 :], strict=True))
    return [*row[: most - 1], msgspec.json.encode(rest).decode()]


def _write_cell(sheet: Any, number: int, place: int, value: Json) -> None:
    if value is None or value == "":
        return
    if isinstance(value, bool):
        sheet.write_boolean(number, place, value)
    elif _is_short(value):
        sheet.write_number(number, place, float(value))
    else:
        sheet.write_string(number, place, (text_of(value) or "")[:MOST_CHARACTERS])


def _is_short(value: Json) -> bool:
    """Tell whether Excel keeps a number as it is."""
    if isinstance(value, int):
        return len(str(abs(value))) <= _DIGITS
    if not isinstance(value, Number):
        return False
    return sum(map(str.isdigit, value)) <= _DIGITS and is_exact(value)
