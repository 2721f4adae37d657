"""A table as Parquet: real types, found by looking at every value first.

A column is int64, double or boolean where all its values are, without loss; else it is text, with what a CSV
file's cells would have. Row groups are equally many rows, as many as memory bears of these rows, so that the
bytes are those of the rows.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet

from swath.flow.definition import Json
from swath.flow.files.output import Source, Written, measure
from swath.flow.files.values import batches, iterate_rows, kind_of, text_of, unite_kinds, weigh
from swath.flow.table import Table
from swath.flow.unique import name_all

#: A row group has at most so many rows, and of long ones about so many bytes.
GROUP_ROWS = 100_000
GROUP_BYTES = 64 * 1024 * 1024
#: Rows whose bytes are counted together.
STRETCH = 10
BATCH_CELLS = 200_000
_TYPES: dict[str, tuple[Callable[[], Any], Callable[[Json], Any]]] = {
    "integer": (DataType.int64, int),
    "double": (DataType.float64, float),
    "boolean": (DataType.bool, bool),
    "text": (DataType.string, text_of),
}


def combine_parquet(
    table: Table | None, sources: Iterable[Source], out: BinaryIO, *, group_bytes: int = GROUP_BYTES
) -> Written:
    """Write a table as Parquet. No table: a file without a column."""
    known = list(sources)
    if table is None:
        table = Table(())
    types, weights = _survey(table, known)
    # Names with NUL are beyond the library that all readers share.
    names = name_all((name.replace("\0", "\ufffd") for name in table.header), set())
    fields = [Field(name, _TYPES[kind][0](), True) for name, kind in zip(names, types, strict=True)]
    schema = Schema(fields)
    reader = RecordBatchReader.from_batches(schema, _write_batches(table, known, types, schema))
    write_parquet(
        reader,
        out,
        compression="zstd(3)",
        max_row_group_size=_choose_group(weights, group_bytes),
        created_by="swath",
        skip_arrow_metadata=True,
    )
    return measure(out, table.rows)


def _survey(table: Table, sources: list[Source]) -> tuple[list[str], "array[int]"]:
    """Return the columns' types, and about how many bytes each stretch of rows takes."""
    kinds: list[set[str]] = [set() for _ in table.header]
    weights = array("Q", bytes(8 * -(-table.rows // STRETCH)))
    rows = 0
    for batch in batches(iterate_rows(table, sources), 1_000):
        for seen, column in zip(kinds, zip(*batch, strict=True), strict=True):
            seen.update(map(kind_of, column))
        for row in batch:
            weights[rows // STRETCH] += weigh(row)
            rows += 1
    return [unite_kinds(seen) for seen in kinds], weights


def _choose_group(weights: "array[int]", most: int) -> int:
    """Return how many rows a group has, so that the largest is not too large."""
    rows = GROUP_ROWS
    while rows > STRETCH:
        count = rows // STRETCH
        if all(sum(weights[first : first + count]) <= most for first in range(0, len(weights), count)):
            break
        rows = rows // (2 * STRETCH) * STRETCH
    return rows


def _write_batches(
    table: Table, sources: list[Source], types: list[str], schema: Schema
) -> Iterator[RecordBatch]:
    size = max(BATCH_CELLS // max(len(types), 1), 1)
    for batch in batches(iterate_rows(table, sources), size):
        columns = zip(*batch, strict=True)
        arrays = [_write_column(values, kind) for values, kind in zip(columns, types, strict=True)]
        yield RecordBatch.from_arrays(arrays, schema=schema)


def _write_column(values: Iterable[Json], kind: str) -> Array:
    arrow, convert = _TYPES[kind]
    return Array([None if value is None else convert(value) for value in values], type=arrow())
