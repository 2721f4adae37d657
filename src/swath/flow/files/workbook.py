"""A table as an Excel workbook: nothing in it is run, and it holds no moment of its making.

Texts are written as texts, whatever they begin with. A number that Excel would round (it keeps 15 digits) is
written as text, too. Rows beyond a sheet's limit go on in another sheet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Any, BinaryIO

from swath.flow.bodies import Number
from swath.flow.definition import Json
from swath.flow.files.output import Source, Written, measure
from swath.flow.files.values import is_exact, iterate_rows, text_of
from swath.flow.table import Table

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
#: Characters of a cell, as Excel counts them; what is longer is cut, for Excel would refuse the file.
MOST_CHARACTERS = 32_767
_DIGITS = 15
#: What is nearer to 0 Excel takes for 0.
_SMALLEST = 2.2250738585072014e-308


def combine_xlsx(
    table: Table | None, sources: Iterable[Source], out: BinaryIO, *, most_rows: int = MOST_ROWS
) -> Written:
    """Write a table of at most 16,384 columns as a workbook. No table: one empty sheet."""
    from xlsxwriter import Workbook  # noqa: PLC0415 - seldom wanted, and all processes would hold it

    book = Workbook(out, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(2000, 1, 1)})
    cut = 0
    if table is None:
        book.add_worksheet()
    else:
        rows = iterate_rows(table, sources)
        for first in chain([next(rows, None)], rows):
            most = [] if first is None else chain([first], islice(rows, most_rows - 2))
            cut += _write_sheet(book.add_worksheet(), table.header, most)
    book.close()
    return replace(measure(out, table.rows if table else 0), cut=cut)


def _write_sheet(sheet: Any, header: Sequence[str], rows: Iterable[list[Json]]) -> int:
    """Write a header and rows; return how many cells were cut."""
    cut = sum(_write_text(sheet, 0, place, name) for place, name in enumerate(header))
    for number, row in enumerate(rows, 1):
        for place, value in enumerate(row):
            if value is not None and value != "":
                cut += _write_cell(sheet, number, place, value)
    return cut


def _write_cell(sheet: Any, number: int, place: int, value: Json) -> bool:
    """Write a cell; tell whether it was cut."""
    if isinstance(value, bool):
        sheet.write_boolean(number, place, value)
    elif _is_short(value):
        sheet.write_number(number, place, float(value))
    else:
        return _write_text(sheet, number, place, text_of(value) or "")
    return False


def _write_text(sheet: Any, number: int, place: int, text: str) -> bool:
    """Excel counts UTF-16 units, of which some characters have two."""
    fits = len(text) <= MOST_CHARACTERS // 2 or len(text.encode("utf-16-le")) <= 2 * MOST_CHARACTERS
    if not fits:
        text = text.encode("utf-16-le")[: 2 * MOST_CHARACTERS].decode("utf-16-le", "ignore")
    sheet.write_string(number, place, text)
    return not fits


def _is_short(value: Json) -> bool:
    """Tell whether Excel keeps a number as it is."""
    if isinstance(value, int):
        return len(str(abs(value))) <= _DIGITS
    if not isinstance(value, Number) or 0 < abs(float(value)) < _SMALLEST:
        return False
    return sum(map(str.isdigit, value)) <= _DIGITS and is_exact(value)
