"""From the parts of all shards to tables: which columns, what they are called, which table comes first."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Literal

from swath.flow.beside import is_beside
from swath.flow.definition import Json
from swath.flow.rows.fragments import Kinds, Part
from swath.flow.rows.names import CollectionPath, ColumnPath, relative_name, write_path
from swath.flow.unique import make_unique, name_all

INPUT_PREFIX = "input."


Group = Literal["own", "ancestors", "inputs", "more"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: where its cells come from, and what it is called."""

    group: Group
    #: Which one of its group's columns in the table; -1: one that no row has.
    place: int
    #: The path written out, its name in a header, and its key inside of `response` or `input`.
    path: str
    name: str
    key: str


@dataclass(slots=True)
class Table:
    """One result collection of an execution: the union of its parts, columns in order of first appearance."""

    path: CollectionPath
    name: str = ""
    #: In how many arrays its elements stand; 0: it has none, its rows are root objects.
    depth: int = 0
    rows: int = 0
    elements: int = 0
    own: list[ColumnPath] = field(default_factory=list)
    ancestors: list[ColumnPath] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    #: How many values of which kind each of its own columns has, and each of its ancestors'.
    own_kinds: list[Kinds] = field(default_factory=list)
    ancestor_kinds: list[Kinds] = field(default_factory=list)
    #: What its file shows: all of the above in this order, where nothing else was asked for (see `layout`).
    columns: list[Column] = field(default_factory=list)
    #: What of its columns stands together in the one of the group `more`.
    more: list[Column] = field(default_factory=list)

    @property
    def header(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def renamed(self) -> list[tuple[str, str]]:
        """Paths whose columns are called otherwise, and how."""
        return [(column.path, column.name) for column in self.columns if column.path != column.name]

    @property
    def is_plain(self) -> bool:
        """Tell whether the file shows each column once, in the usual order."""
        usual = [(group, place) for group, count in self._groups() for place in range(count)]
        return [(column.group, column.place) for column in self.columns] == usual

    def kinds(self, column: Column) -> Kinds:
        """Return how many values of which kind a column has, kinds in order of first appearance."""
        known = {"own": self.own_kinds, "ancestors": self.ancestor_kinds}.get(column.group, [])
        return known[column.place] if 0 <= column.place < len(known) else {}

    def count_filled(self, column: Column) -> int:
        """Return how many rows have a value in a column that is not null."""
        kinds = self.kinds(column)
        return sum(kinds.values()) - kinds.get("null", 0)

    def _groups(self) -> list[tuple[Group, int]]:
        return [("own", len(self.own)), ("ancestors", len(self.ancestors)), ("inputs", len(self.inputs))]


def describe_columns(table: Table, columns: Iterable[Column]) -> list[dict[str, Json]]:
    """Return what is known of columns: names and, but for inputs, what their values are.

    `types` counts the values that are not null by their kinds, in order of first appearance.
    """
    described = []
    for column in columns:
        told: dict[str, Json] = {"name": column.name, "path": column.path}
        if column.group in ("own", "ancestors"):
            kinds = dict(table.kinds(column))
            nulls = kinds.pop("null", 0)
            missing = table.rows - nulls - sum(kinds.values())
            told |= {"types": kinds, "nulls": nulls, "missing": missing}
        described.append(told)
    return described


def unite(parts: Iterable[Part]) -> list[Table]:
    """Unite parts, given in the order of their shards, into tables in the order of first appearance."""
    union = Union()
    for part in parts:
        union.add(part)
    return union.tables()


class Union:
    """Unites parts one by one, and forgets them."""

    def __init__(self) -> None:
        self._tables: dict[CollectionPath, Table] = {}
        self._own: dict[CollectionPath, dict[ColumnPath, Kinds]] = {}
        self._ancestors: dict[CollectionPath, dict[ColumnPath, Kinds]] = {}

    def add(self, part: Part) -> None:
        """Take a part's columns and counts. Parts come in the order of their shards."""
        table = self._tables.setdefault(part.path, Table(part.path, inputs=part.inputs))
        _unite_columns(self._own.setdefault(part.path, {}), part.own, part.own_kinds)
        _unite_columns(self._ancestors.setdefault(part.path, {}), part.ancestors, part.ancestor_kinds)
        table.depth = min(table.depth or part.depth, part.depth or table.depth)
        table.rows += part.rows
        table.elements += part.elements

    def tables(self) -> list[Table]:
        """Return the tables so far, every column in each."""
        for path, table in self._tables.items():
            table.own, table.own_kinds = list(self._own[path]), list(self._own[path].values())
            ancestors = self._ancestors[path]
            table.ancestors, table.ancestor_kinds = list(ancestors), list(ancestors.values())
        return _name(list(self._tables.values()))


def _unite_columns(
    known: dict[ColumnPath, Kinds], columns: Sequence[ColumnPath], counted: Sequence[Kinds]
) -> None:
    for column, kinds in zip(columns, chain(counted, repeat({})), strict=False):
        sums = known.setdefault(column, {})
        for kind, count in kinds.items():
            sums[kind] = sums.get(kind, 0) + count


def _name(tables: list[Table]) -> list[Table]:
    names = name_all((write_path(table.path) for table in tables), set())
    for table, name in zip(tables, names, strict=True):
        table.name = name
        table.columns = _name_columns(table)
    return tables


def _name_columns(table: Table) -> list[Column]:
    places: list[tuple[Group, int]] = [
        *(("own", place) for place in range(len(table.own))),
        *(("ancestors", place) for place in range(len(table.ancestors))),
        *(("inputs", place) for place in range(len(table.inputs))),
    ]
    paths = [write_path(column) for column in table.own + table.ancestors]
    paths += [INPUT_PREFIX + variable for variable in table.inputs]
    relative = [relative_name(column, table.path) for column in table.own]
    keys = name_all(relative + [write_path(column) for column in table.ancestors], set()) + table.inputs
    named = zip(places, paths, name_all(paths, set()), keys, strict=True)
    return [Column(group, place, path, name, key) for (group, place), path, name, key in named]


def order_tables(
    tables: Sequence[Table], primary: str | None = None, inputs: Sequence[str] = ()
) -> list[Table]:
    """Return the tables with the primary one first. `primary` is the workflow's, if it names one.

    One that is named and has no rows is an empty table, with columns for the inputs: whoever takes the first
    does not get another's rows.
    """
    first = choose_primary(tables, primary)
    found = sorted(tables, key=lambda table: table is not first)
    if not primary or (first is not None and first.name == primary):
        return found
    empty = Table((primary,), primary, inputs=list(inputs))
    empty.columns = _name_columns(empty)
    return [empty, *found]


def choose_primary(tables: Sequence[Table], primary: str | None = None) -> Table | None:
    """Return the table that is listed first: the one named, else the shallowest array with the most rows.

    One that sounds like links or facets comes after those that do not. The root, where there is no array;
    None, where there is no table at all.
    """
    named = next((table for table in tables if primary is not None and table.name == primary), None)
    arrays = [table for table in tables if table.elements]
    if named is not None or not arrays:
        return named or next(iter(tables), None)
    return min(arrays, key=lambda table: (any(map(is_beside, table.path)), table.depth, -table.elements))


def plain_name(name: str, longest: int = 100) -> str:
    """Return what of a name is safe as a file's, everywhere; perhaps nothing."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:longest]


def name_files(tables: Iterable[Table], longest: int = 100) -> list[str]:
    """Return a file name (without its ending) per table: safe everywhere, different whatever the case."""
    taken: set[str] = set()
    names = []
    for table in tables:
        plain = plain_name(table.name, longest) or "rows"
        unique = make_unique(plain.lower(), taken)
        taken.add(unique)
        names.append(plain + unique[len(plain) :])
    return names
