"""The rows of JSON parts as values, for formats that have types of their own."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from swath.flow.bodies import Flaws, Number, decode_exactly
from swath.flow.definition import Json
from swath.flow.files.lines import Cell, collect, find_more, locate
from swath.flow.files.output import Source
from swath.flow.table import Table

#: About so many bytes of rows are worked on at a time.
BATCH_BYTES = 4 * 1024 * 1024
#: Integers up to here are whole as doubles, too.
WHOLE = 2**53


class _Line(msgspec.Struct):
    input: dict[str, Any]
    response: dict[str, Any]


_decode_fast = msgspec.json.Decoder(_Line, float_hook=Number).decode_lines


def _decode_lines(lines: bytes) -> list[_Line]:
    """Read lines; an integer of more digits than the decoder takes comes as a Number."""
    try:
        return _decode_fast(lines)
    except msgspec.ValidationError:
        return [_Line(**decode_exactly(line, "", Flaws())) for line in lines.splitlines()]


def iterate_rows(table: Table, sources: Iterable[Source]) -> Iterator[list[Json]]:
    """Yield a table's rows, values in the order of the header, None for nothing.

    What stands together in one column comes as the text of its JSON.
    """
    rest = next((n for n, column in enumerate(table.columns) if column.group == "more"), None)
    for part, read in sources:
        cells = locate(table, part, table.columns)
        apart = find_more(table, part)
        for block in part.blocks:
            for line in _decode_lines(read(block.offset, block.length)):
                row = [_take(line, cell) for cell in cells]
                if rest is not None and (more := collect(apart, line.input, line.response)):
                    row[rest] = write_json(more)
                yield row


def _take(line: "_Line", cell: Cell | None) -> Json:
    if cell is None:
        return None
    return (line.input if cell.is_input else line.response).get(cell.key)


def write_json(value: Json) -> str:
    """Return a value as JSON, its numbers as they were written."""
    return msgspec.json.encode(value, enc_hook=_write_number).decode()


def _write_number(number: Number) -> msgspec.Raw:
    return msgspec.Raw(str(number))


def batches(rows: Iterable[list[Json]], size: int) -> Iterator[list[list[Json]]]:
    """Yield so many rows at a time, fewer of long ones: what is written does not show how they came."""
    batch: list[list[Json]] = []
    room = BATCH_BYTES
    for row in rows:
        batch.append(row)
        room -= weigh(row)
        if len(batch) == size or room < 0:
            yield batch
            batch, room = [], BATCH_BYTES
    if batch:
        yield batch


def weigh(row: list[Json]) -> int:
    """Return about how many bytes a row's values take."""
    return 8 * len(row) + sum([len(value) for value in row if isinstance(value, str)])


def kind_of(value: Json) -> str:
    """Return what a column has to be able to hold: whole, integer, double, boolean, text, null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "whole" if -WHOLE <= value <= WHOLE else "integer" if -(2**63) <= value < 2**63 else "text"
    if isinstance(value, Number):
        return "double" if is_exact(value) else "text"
    return "text"


def is_exact(number: str) -> bool:
    """Tell whether a double has just this value, as numbers are written: `1.10` and `1.1` are one."""
    double = float(number)
    return abs(double) != float("inf") and Decimal(repr(double)) == Decimal(number)


def unite_kinds(kinds: Sequence[str] | set[str]) -> str:
    """Return the type of a column that holds values of these kinds."""
    found = set(kinds) - {"null"}
    if found == {"boolean"}:
        return "boolean"
    if found and found <= {"whole", "integer"}:
        return "integer"
    if found and found <= {"whole", "double"}:
        return "double"
    return "text"


def text_of(value: Json) -> str | None:
    """Return a value as the cell of a CSV file has it; None stays nothing."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return write_json(value)
    return str(value)
