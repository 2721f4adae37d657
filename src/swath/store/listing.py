"""The order of every list: newest first, by creation time and then by id."""

from typing import Any

from sqlalchemy import ColumnElement, Table, tuple_


def newest_first(table: Table) -> tuple[ColumnElement[Any], ...]:
    return table.c.created_at.desc(), table.c.id.desc()


def older(table: Table, than: tuple[int, str]) -> ColumnElement[bool]:
    """Select what stands behind `than`, a creation time and an id, in a list."""
    return tuple_(table.c.created_at, table.c.id) < than
