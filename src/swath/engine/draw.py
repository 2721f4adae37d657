"""A list drawn from an execution's table: read twice in a worker process, so that none of it is held."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import chain, islice
from tempfile import NamedTemporaryFile
from typing import IO, cast

import msgspec

from swath.engine.blocks import write_blocks
from swath.engine.extract import open_index
from swath.engine.repeats import find_among
from swath.flow.definition import Drawn, Json
from swath.flow.files.choice import find_column, read_cells, write_cell
from swath.flow.files.index import Index
from swath.flow.rows.repeats import MARK
from swath.flow.table import Column
from swath.store.objects import Objects

#: Rows that are looked through for the first few different values.
LOOKED_THROUGH = 10_000
#: A row's values, one of each column, if it has them all.
Values = tuple[str, ...] | None


class DrawJob(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of which table; the primary one if none is named."""

    place: str
    scratch: str
    index: str
    columns: list[str]
    collection: str | None = None
    #: So many rows are told apart at a time.
    at_a_time: int = 250_000


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The file of items, or what there is instead of the table or the column that was named."""

    path: str = ""
    items: int = 0
    drawn: Drawn = Drawn()
    unknown_collection: list[str] | None = None
    unknown_column: tuple[str, list[str]] | None = None


def draw(job: DrawJob) -> Drawing:
    """Write the different values of a table's rows into the scratch folder, as the items of a snapshot.

    Of one column they are texts, of several objects of texts. Rows without a value are left out.
    """
    objects = Objects(job.place)
    index = open_index(objects, job.index)
    place = _find(job, index)
    if isinstance(place, Drawing):
        return place if place.unknown_column else _write(job, lambda: iter(()), 0)
    number, columns = place
    read = partial(_read, index, number, columns, objects)
    return _write(job, read, index.tables[number].rows)


def peek(job: DrawJob, few: int) -> tuple[list[Json], Drawing]:
    """Return the first different items that `draw` would write, and what else it would tell."""
    objects = Objects(job.place)
    index = open_index(objects, job.index)
    place = _find(job, index)
    if isinstance(place, Drawing):
        return [], place
    number, columns = place
    rows = (values for values in _read(index, number, columns, objects) if values is not None)
    items = _Counting(islice(dict.fromkeys(islice(rows, LOOKED_THROUGH)), few), job.columns)
    return list(items), Drawing(items=index.tables[number].rows)


def _find(job: DrawJob, index: Index) -> tuple[int, list[Column]] | Drawing:
    """Return the table and its columns, or what there is instead of them."""
    names = [table.name for table in index.tables]
    number = next((n for n, name in enumerate(names) if job.collection in (None, name)), None)
    if number is None or not index.tables[number].rows:
        return Drawing(unknown_collection=names)
    table = index.tables[number]
    columns = [find_column(table, name) for name in job.columns]
    if None in columns:
        known = [column.name for column in (*table.columns, *table.more) if column.group != "more"]
        return Drawing(unknown_column=(job.columns[columns.index(None)], known))
    return number, cast(list[Column], columns)


def _read(index: Index, number: int, columns: Sequence[Column], objects: Objects) -> Iterator[Values]:
    table = index.tables[number]
    sources, _ = index.sources(number, objects.read_range)
    blocks = read_cells(table, sources, columns, csv=not index.typed, guarded=index.guarded)
    for cells in chain.from_iterable(blocks):
        values = tuple(map(write_cell, cells))
        yield None if None in values else cast(Values, values)


def _write(job: DrawJob, read: Callable[[], Iterator[Values]], rows: int) -> Drawing:
    marks = ((0, number, _mark(values)) for number, values in enumerate(read()) if values is not None)
    repeated = find_among(marks, rows, job.scratch, job.at_a_time).get(0, ())
    with NamedTemporaryFile(dir=job.scratch, suffix=".items", delete=False) as file:
        items = _Counting(_different(read(), iter(repeated)), job.columns)
        write_blocks(items, cast(IO[bytes], file))
    drawn = Drawn(rows=rows, blank=rows - items.count - len(repeated), repeated=len(repeated))
    return Drawing(path=file.name, items=items.count, drawn=drawn)


def _mark(values: tuple[str, ...]) -> bytes:
    written = values[0].encode() if len(values) == 1 else msgspec.json.encode(values)
    return blake2b(written, digest_size=MARK).digest()


def _different(rows: Iterator[Values], repeated: Iterator[int]) -> Iterator[tuple[str, ...]]:
    """Yield the rows that have values, less those of the numbers."""
    skipped = next(repeated, None)
    for number, values in enumerate(rows):
        if number == skipped:
            skipped = next(repeated, None)
        elif values is not None:
            yield values


class _Counting:
    """Gives rows as items, and counts them."""

    def __init__(self, rows: Iterator[tuple[str, ...]], columns: Sequence[str]) -> None:
        self.count = 0
        self._rows, self._columns = rows, columns

    def __iter__(self) -> Iterator[Json]:
        for values in self._rows:
            self.count += 1
            yield values[0] if len(values) == 1 else dict(zip(self._columns, values, strict=True))
