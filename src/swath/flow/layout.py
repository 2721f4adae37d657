"""Which columns a file shows, in which order and by which names, where a recipe says so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import chain

from swath.errors import InvalidInput
from swath.flow.definition import ChosenColumn
from swath.flow.table import INPUT_PREFIX, Column, Table
from swath.flow.unique import make_unique

#: Stands for all columns that are not named.
OTHERS = "*"
#: The column that holds, as JSON, what a table has no room for.
MORE = "_more"

Choice = Sequence[str | ChosenColumn]


def check_columns(columns: Mapping[str, Choice]) -> None:
    """Raises InvalidInput for a choice that no table can follow."""
    findings = [finding for name, choice in columns.items() for finding in _check(f"columns.{name}", choice)]
    if findings:
        raise InvalidInput(*findings[0], *findings[1:])


def _check(field: str, choice: Choice) -> Iterator[tuple[str, str]]:
    if not choice:
        yield field, 'Names no column. List some, or leave the collection out to have all; "*" is all others.'
    seen: set[str] = set()
    for number, each in enumerate(map(_spell, choice)):
        place, name = f"{field}[{number}]", each.path if each.name is None else each.name
        if not each.path:
            yield place, "Blank. Name a column as the header does, e.g. results.id."
        elif each.path == OTHERS and each.name is not None:
            yield place, '"*" stands for many columns, which cannot have one name.'
        elif not name:
            yield place, "The name is blank."
        elif name in seen:
            yield place, f"There are two columns {name!r}; give one another name."
        seen.add(name)


def _spell(each: str | ChosenColumn) -> ChosenColumn:
    return ChosenColumn(path=each) if isinstance(each, str) else each


@dataclass(frozen=True, slots=True)
class Absent:
    """What was named and has no rows: collections, and columns by the collections' names."""

    collections: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)


def arrange_all(
    tables: Sequence[Table], columns: Mapping[str, Choice] | None, budget: int
) -> dict[str, list[str]]:
    """Lay out all tables (see `arrange`); return the columns that were chosen for nothing, by table."""
    chosen = columns or {}
    found = {table.name: arrange(table, chosen.get(table.name), budget) for table in tables}
    return {table.name: found[table.name] for table in tables if table.rows and found[table.name]}


def find_absent(tables: Sequence[Table], *named: Iterable[str]) -> list[str]:
    """Return the names that are none of a table with rows."""
    names = {table.name for table in tables if table.rows}
    return [name for name in dict.fromkeys(chain(*named)) if name and name not in names]


def arrange(table: Table, choice: Choice | None, budget: int) -> list[str]:
    """Lay out a table's columns as chosen, within the budget; return the paths chosen that it does not have.

    A chosen column is there though no row has it: what reads the file can count on it. Where there are too
    many, those chosen stay, then the inputs, then the fullest, then the first.
    """
    known = {column.name: column for column in table.columns}
    chosen = [_spell(each) for each in choice or (OTHERS,)]
    named = {each.path for each in chosen}
    others = [(column, Rank.OTHER) for column in table.columns if column.name not in named]
    ranked: list[tuple[Column, Rank]] = []
    for each in chosen:
        ranked += others if each.path == OTHERS else [_choose(table, known.get(each.path), each)]
    if choice is not None:
        ranked = _settle_names(ranked)
    table.columns = [column for column, _ in ranked]
    if len(ranked) > budget:
        _set_apart(table, ranked, budget - 1)
    return [each.path for each in chosen if each.path != OTHERS and each.path not in known]


class Rank(IntEnum):
    """Which columns give way to which: in names, and where there are too many."""

    RENAMED = 0
    CHOSEN = 1
    OTHER = 2


def _choose(table: Table, column: Column | None, chosen: ChosenColumn) -> tuple[Column, Rank]:
    column = column or _imagine(table, chosen.path)
    if chosen.name is None:
        return column, Rank.CHOSEN
    return replace(column, name=chosen.name, key=chosen.name), Rank.RENAMED


def _imagine(table: Table, path: str) -> Column:
    """Return a column that no row has."""
    if path.startswith(INPUT_PREFIX):
        return Column("inputs", -1, path, path, path.removeprefix(INPUT_PREFIX))
    return Column("own", -1, path, path, path.removeprefix(f"{table.name}."))


def _settle_names(ranked: Sequence[tuple[Column, Rank]]) -> list[tuple[Column, Rank]]:
    """Make names unique, and keys among those of `response` and of `input`."""
    settled = list(ranked)
    names, keys, inputs = set[str](), set[str](), set[str]()
    for number in sorted(range(len(ranked)), key=lambda number: ranked[number][1]):
        column, rank = ranked[number]
        taken = inputs if column.group == "inputs" else keys
        name, key = make_unique(column.name, names), make_unique(column.key, taken)
        names.add(name)
        taken.add(key)
        settled[number] = replace(column, name=name, key=key), rank
    return settled


def _set_apart(table: Table, ranked: Sequence[tuple[Column, Rank]], room: int) -> None:
    """Leave as many columns as there is room for, and put the others together into one."""

    def weigh(number: int) -> tuple[int, bool, int, int]:
        column, rank = ranked[number]
        return max(rank - 1, 0), column.group != "inputs", -table.count_filled(column), number

    order = sorted(range(len(ranked)), key=weigh)
    apart = set(order[room:])
    table.more = [column for number, column in enumerate(table.columns) if number in apart]
    stays = [column for number, column in enumerate(table.columns) if number not in apart]
    name = make_unique(MORE, {column.name for column in stays})
    key = make_unique(MORE, {column.key for column in stays})
    table.columns = [*stays, Column("more", 0, name, name, key)]
