"""From the parts of all shards to tables: which columns, what they are called, which table comes first."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from swath.flow.rows.fragments import Part
from swath.flow.rows.names import CollectionPath, ColumnPath, make_unique, name_all, relative_name, write_path

INPUT_PREFIX = "input."


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
    #: The header: names of own columns, of the ancestors' and of the inputs', all different.
    header: list[str] = field(default_factory=list)
    #: The keys inside of `response`, of own columns and then of the ancestors'; all different.
    keys: list[str] = field(default_factory=list)
    #: Names that two paths would have shared: path written out, name given.
    renamed: list[tuple[str, str]] = field(default_factory=list)


def unite(parts: Iterable[Part]) -> list[Table]:
    """Unite parts, given in the order of their shards, into tables in the order of first appearance."""
    tables: dict[CollectionPath, Table] = {}
    seen: dict[CollectionPath, tuple[dict[ColumnPath, None], dict[ColumnPath, None]]] = {}
    for part in parts:
        table = tables.setdefault(part.path, Table(part.path, inputs=part.inputs))
        own, ancestors = seen.setdefault(part.path, ({}, {}))
        own.update(dict.fromkeys(part.own))
        ancestors.update(dict.fromkeys(part.ancestors))
        table.depth = min(table.depth or part.depth, part.depth or table.depth)
        table.rows += part.rows
        table.elements += part.elements
    for path, (own, ancestors) in seen.items():
        tables[path].own, tables[path].ancestors = list(own), list(ancestors)
    return _name(list(tables.values()))


def _name(tables: list[Table]) -> list[Table]:
    names = name_all((write_path(table.path) for table in tables), set())
    for table, name in zip(tables, names, strict=True):
        table.name = name
        plain = [write_path(column) for column in table.own + table.ancestors]
        plain += [INPUT_PREFIX + variable for variable in table.inputs]
        table.header = name_all(plain, set())
        relative = [relative_name(column, table.path) for column in table.own]
        table.keys = name_all(relative + [write_path(column) for column in table.ancestors], set())
        table.renamed = [(old, new) for old, new in zip(plain, table.header, strict=True) if old != new]
    return tables


def order_tables(tables: Sequence[Table], primary: str | None = None) -> list[Table]:
    """Return the tables with the primary one first. `primary` is the workflow's, if it names one."""
    first = choose_primary(tables, primary)
    return sorted(tables, key=lambda table: table is not first)


def choose_primary(tables: Sequence[Table], primary: str | None = None) -> Table | None:
    """Return the table that is listed first: the one named, else the shallowest array with the most rows.

    The root, where there is no array; None, where there is no table at all.
    """
    named = next((table for table in tables if primary is not None and table.name == primary), None)
    arrays = [table for table in tables if table.elements]
    if named is not None or not arrays:
        return named or next(iter(tables), None)
    return min(arrays, key=lambda table: (table.depth, -table.elements))


def name_files(tables: Iterable[Table], longest: int = 100) -> list[str]:
    """Return a file name (without its ending) per table: safe everywhere, different whatever the case."""
    taken: set[str] = set()
    names = []
    for table in tables:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", table.name).strip("._-")[:longest] or "rows"
        unique = make_unique(plain.lower(), taken)
        taken.add(unique)
        names.append(plain + unique[len(plain) :])
    return names
