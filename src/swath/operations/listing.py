"""Lists, newest first, in pages: what a page is, and the cursor that leads to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from swath.errors import InvalidInput
from swath.store.database import Row

T = TypeVar("T")

#: The last row that a table with a number of its own can have, and the last position in a list.
LAST_NUMBER, LAST_POSITION = 2**31 - 1, 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and the cursor of the rest; None at its end."""

    objects: list[T]
    next_cursor: str | None


def page_of(rows: Sequence[Row[Any]], limit: int, view: Callable[[Row[Any]], T]) -> Page[T]:
    """Return a page of at most `limit` rows; `rows` has one more where there is more."""
    shown = rows[:limit]
    cursor = f"{shown[-1].created_at}.{shown[-1].id}" if len(rows) > limit else None
    return Page([view(row) for row in shown], cursor)


def read_cursor(cursor: str | None) -> tuple[int, str] | None:
    """Return the creation time and id that a cursor stands for. Raises InvalidInput."""
    if cursor is None:
        return None
    moment, _, row_id = cursor.partition(".")
    if not moment.isdecimal() or not row_id or len(moment) > 18:
        raise InvalidInput("cursor", "Not a cursor of this list; begin without one.")
    return int(moment), row_id


def read_number(cursor: str | None, last: int = LAST_NUMBER) -> int | None:
    """Return the number of a row that a cursor stands for, at most the last. Raises InvalidInput."""
    if cursor is None:
        return None
    if not cursor.isdecimal() or len(cursor) > len(str(last)) or int(cursor) > last:
        raise InvalidInput("cursor", "Not a cursor of this list; begin without one.")
    return int(cursor)
