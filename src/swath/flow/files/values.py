"""The rows of JSON parts as values, for formats that have types of their own."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from swath.flow.definition import Json
from swath.flow.files.writers import Source, key_names
from swath.flow.table import Table

#: Integers up to here are whole as doubles, too.
WHOLE = 2**53


class Number(str):
    """A number with a fraction or an exponent, as its own text."""

    __slots__ = ()


class _Line(msgspec.Struct):
    input: dict[str, Any]
    response: dict[str, Any]


_decode_lines = msgspec.json.Decoder(_Line, float_hook=Number).decode_lines


def iterate_rows(table: Table, sources: Iterable[Source]) -> Iterator[list[Json]]:
    """Yield a table's rows, values in the order of the header, None for nothing."""
    for part, read in sources:
        keys = key_names(table, part)
        for block in part.blocks:
            for line in _decode_lines(read(block.offset, block.length)):
                row = [None if key is None else line.response.get(key) for key in keys]
                yield row + [line.input.get(name) for name in table.inputs]


def batches(rows: Iterator[list[Json]], size: int) -> Iterator[list[list[Json]]]:
    """Yield so many rows at a time: what is written does not show how they came."""
    while batch := list(islice(rows, size)):
        yield batch


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
        return msgspec.json.encode(value).decode()
    return str(value)
