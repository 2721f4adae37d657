"""A table as Parquet: real types, found by looking at every value first.

A column is int64, double or boolean where all its values are, without loss; else it is text, with what a CSV
file's cells would have. Row groups go by the number of rows, so that the bytes are those of the rows.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet

from swath.flow.definition import Json
from swath.flow.files.output import Source, Written, measure
from swath.flow.files.values import batches, iterate_rows, kind_of, text_of, unite_kinds
from swath.flow.table import Table
from swath.flow.unique import name_all

GROUP_ROWS = 100_000
BATCH_CELLS = 200_000
_TYPES: dict[str, tuple[Callable[[], Any], Callable[[Json], Any]]] = {
    "integer": (DataType.int64, int),
    "double": (DataType.float64, float),
    "boolean": (DataType.bool, bool),
    "text": (DataType.string, text_of),
}


def combine_parquet(table: Table | None, sources: Iterable[Source], out: BinaryIO) -> Written:
    """Write a table as Parquet. No table: a file without a column."""
    known = list(sources)
    if table is None:
        table = Table(())
    types = _find_types(table, known)
    # Names with NUL are beyond the library that all readers share.
    names = name_all((name.replace("\0", "\ufffd") for name in table.header), set())
    fields = [Field(name, _TYPES[kind][0](), True) for name, kind in zip(names, types, strict=True)]
    schema = Schema(fields)
    reader = RecordBatchReader.from_batches(schema, _write_batches(table, known, types, schema))
    write_parquet(
        reader,
        out,
        compression="zstd(3)",
        max_row_group_size=GROUP_ROWS,
        created_by="swath",
        skip_arrow_metadata=True,
    )
    return measure(out, table.rows)


def _find_types(table: Table, sources: list[Source]) -> list[str]:
    kinds: list[set[str]] = [set() for _ in table.header]
    for batch in batches(iterate_rows(table, sources), 1_000):
        for seen, column in zip(kinds, zip(*batch, strict=True), strict=True):
            seen.update(map(kind_of, column))
    return [unite_kinds(seen) for seen in kinds]


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
