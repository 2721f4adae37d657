"""What the rows of responses are, in the plainest words, and how the tests run the real thing."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from swath.flow.definition import Json
from swath.flow.files.output import Source
from swath.flow.files.writers import combine_csv, combine_json, combine_jsonl
from swath.flow.rows import Extraction, Extractor, SourcePage
from swath.flow.rows.fragments import Part
from swath.flow.table import Table, order_tables, unite

COMBINE: dict[str, Any] = {"csv": combine_csv, "json": combine_json, "jsonl": combine_jsonl}


def encode(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def extract(
    bodies: Sequence[bytes | Json],
    output_format: Any = "csv",
    split: Sequence[int] = (),
    compiled: bool = True,
    inputs: Sequence[dict[str, Json]] = (),
    **settings: Any,
) -> list[Source]:
    """Extract the bodies (values are encoded), with a new shard beginning at each index of `split`."""
    names = tuple(dict.fromkeys(name for each in inputs for name in each))
    extraction = Extraction(input_names=names, **settings)
    cuts = [0, *sorted(split), len(bodies)]
    sources = []
    for start, end in pairwise(cuts):
        file = io.BytesIO()
        extractor = Extractor(extraction, file, output_format, compiled=compiled)
        for number in range(start, end):
            body = bodies[number]
            given = inputs[number] if inputs else {}
            extractor.feed(SourcePage(number, 0, given, body if isinstance(body, bytes) else encode(body)))
        sources += [(part, reader(file)) for part in extractor.finish()]
    return sources


def reader(file: io.BytesIO) -> Any:
    return lambda offset, length: file.getvalue()[offset : offset + length]


def tables_of(sources: Sequence[Source]) -> list[Table]:
    return order_tables(unite(part for part, _ in sources))


def parts_of(sources: Sequence[Source], table: Table) -> list[Source]:
    return [source for source in sources if source[0].path == table.path]


def combine(sources: Sequence[Source], output_format: str = "csv", **options: Any) -> dict[str, str]:
    """Return the text of each table's file, by the table's name, the primary first."""
    files = {}
    for table in tables_of(sources):
        out = io.BytesIO()
        written = COMBINE[output_format](table, parts_of(sources, table), out, **options)
        assert written.bytes == len(out.getvalue())
        assert written.rows == table.rows
        files[table.name] = out.getvalue().decode()
    return files


def files_of(bodies: Sequence[bytes | Json], output_format: str = "csv", **settings: Any) -> dict[str, str]:
    """Extract and combine."""
    return combine(extract(bodies, output_format, **settings), output_format)


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def only_part(sources: Sequence[Source]) -> Part:
    (source,) = sources
    return source[0]


class PlainTable:
    """Columns in order of first appearance and rows as dicts, told apart into own and ancestors' cells."""

    def __init__(self) -> None:
        self.own: dict[tuple[Any, ...], None] = {}
        self.ancestors: dict[tuple[Any, ...], None] = {}
        self.rows: list[tuple[dict[tuple[Any, ...], Json], dict[tuple[Any, ...], Json]]] = []

    def add(self, own: dict[tuple[Any, ...], Json], ancestors: dict[tuple[Any, ...], Json]) -> None:
        self.own.update(dict.fromkeys(own))
        self.ancestors.update(dict.fromkeys(ancestors))
        self.rows.append((own, ancestors))

    def texts(self) -> list[list[str]]:
        """Return the cells as a CSV file has them."""
        return [
            [plain_text(own.get(name)) for name in self.own]
            + [plain_text(around.get(name)) for name in self.ancestors]
            for own, around in self.rows
        ]


def plain_text(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def plain_tables(values: Sequence[Json]) -> dict[tuple[str, ...], PlainTable]:
    """Return the tables of some responses by their path."""
    tables: dict[tuple[str, ...], PlainTable] = {}

    def element(path: tuple[str, ...], value: Json, around: dict[tuple[Any, ...], Json]) -> None:
        if isinstance(value, list):
            for each in value:
                element(path, each, around)
            return
        tables.setdefault(path, PlainTable()).add(dict(cells(path, path, value)), around)
        below(path, value, around)

    def below(path: tuple[str, ...], value: Json, around: dict[tuple[Any, ...], Json]) -> None:
        carried = dict(scalars(path, value)) | around
        for where, array in arrays(path, value):
            for each in array:
                element(where, each, carried)

    for value in values:
        if isinstance(value, list):
            element((), value, {})
            continue
        if dict(scalars((), value)):
            tables.setdefault((), PlainTable()).add(dict(cells((), (), value)), {})
        below((), value, {})
    return tables


def cells(
    path: tuple[str, ...], column: tuple[Any, ...], value: Json
) -> Iterator[tuple[tuple[Any, ...], Json]]:
    """Yield all cells of a row: scalars, and those of arrays' first elements."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from cells((*path, key), (*column, key), child)
    elif isinstance(value, list):
        if value:
            yield from cells(path, (*column, 0), value[0])
    else:
        yield column, value


def scalars(path: tuple[str, ...], value: Json) -> Iterator[tuple[tuple[Any, ...], Json]]:
    """Yield the scalars of a row that no array holds."""
    return ((column, each) for column, each in cells(path, path, value) if 0 not in column)


def arrays(path: tuple[str, ...], value: Json) -> Iterator[tuple[tuple[str, ...], list[Json]]]:
    """Yield the arrays of a row that no other array holds."""
    if isinstance(value, list):
        yield path, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from arrays((*path, key), child)
