"""The JSON lines of row parts, brought into the columns of a file: their order, their keys, their choice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from swath.flow.rows.fragments import Part
from swath.flow.table import Column, Table


class Cell(NamedTuple):
    """Where a column's values stand in a part's lines: in `input` or else `response`, and their key there."""

    is_input: bool
    key: str


def locate(table: Table, part: Part, columns: Iterable[Column]) -> list[Cell | None]:
    """Return where each column stands in a part's lines; None for one that it lacks."""
    own = dict(zip(part.own, part.own_keys, strict=True))
    ancestors = dict(zip(part.ancestors, part.ancestor_keys, strict=True))

    def find(column: Column) -> Cell | None:
        if column.place < 0 or column.group == "more":
            return None
        if column.group == "inputs":
            return Cell(True, table.inputs[column.place])
        key = own.get(table.own[column.place]) if column.group == "own" else None
        if column.group == "ancestors":
            key = ancestors.get(table.ancestors[column.place])
        return None if key is None else Cell(False, key)

    return [find(column) for column in columns]


def choose_rewriter(table: Table, part: Part) -> Callable[[bytes], bytes]:
    """Return what turns a part's lines into the file's; it does as little as it can."""
    inputs = [(column.place, column.key) for column in table.columns if column.group == "inputs"]
    columns = [column for column in table.columns if column.group != "inputs"]
    places = {(column.group, column.place) for column in columns if column.place >= 0}
    absent = sum(column.place < 0 for column in columns)
    if table.more or inputs != list(enumerate(table.inputs)) or len(places) + absent < len(columns):
        return Reshaper(table, part).rewrite
    cells = zip(locate(table, part, columns), columns, strict=True)
    keys = {cell.key: column.key for cell, column in cells if cell is not None}
    known = part.own_keys + part.ancestor_keys
    return bytes if list(keys) == list(keys.values()) == known else _rewriter(keys)


class Reshaper:
    """Brings a part's lines into any choice and order of columns, the readable way."""

    def __init__(self, table: Table, part: Part) -> None:
        shown = zip(table.columns, locate(table, part, table.columns), strict=True)
        self._shown = [(column.key, cell) for column, cell in shown if cell is not None]
        self._more = find_more(table, part)
        self._rest = next((column.key for column in table.columns if column.group == "more"), "")
        self._decoder = msgspec.json.Decoder(_Both)
        self._encoder = msgspec.json.Encoder()

    def rewrite(self, lines: bytes) -> bytes:
        return self._encoder.encode_lines(list(map(self._reshape, self._decoder.decode_lines(lines))))

    def _reshape(self, line: "_Both") -> "_Both":
        shaped = _Both({}, {})
        for key, (is_input, given) in self._shown:
            before, after = (line.input, shaped.input) if is_input else (line.response, shaped.response)
            if given in before:
                after[key] = before[given]
        if more := collect(self._more, line.input, line.response):
            shaped.response[self._rest] = msgspec.Raw(self._encoder.encode(more))
        return shaped


def find_more(table: Table, part: Part) -> list[tuple[str, Cell]]:
    """Return the names of the columns that stand together, and where their values are."""
    apart = zip(table.more, locate(table, part, table.more), strict=True)
    return [(column.name, cell) for column, cell in apart if cell is not None]


def collect(
    more: Sequence[tuple[str, Cell]], inputs: Mapping[str, Any], response: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what of a row stands together."""
    found = {}
    for name, (is_input, key) in more:
        cells = inputs if is_input else response
        if key in cells:
            found[name] = cells[key]
    return found


class _Both(msgspec.Struct, gc=False):
    input: dict[str, msgspec.Raw]
    response: dict[str, msgspec.Raw]


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
