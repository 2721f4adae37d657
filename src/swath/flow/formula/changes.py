"""What applying a formula changes: field by field, old and new."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from swath.flow.definition import Json

Action = Literal["create", "update", "unchanged"]
Kind = Literal["endpoint", "workflow", "collection", "proxy"]
#: Items of a list that a difference shows.
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that becomes another; null: it was not there, or is no more."""

    field: str
    old: Json = None
    new: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one thing of a formula."""

    kind: Kind
    name: str
    action: Action
    #: None while it has not been created.
    id: str | None = None
    differences: tuple[Difference, ...] = ()


def compare(old: Mapping[str, Json] | None, new: Mapping[str, Json]) -> tuple[Action, tuple[Difference, ...]]:
    """Return what turns one description into another, both as they are written."""
    found = tuple(_compare(old or {}, new, ""))
    if old is None:
        return "create", found
    return ("update" if found else "unchanged"), found


def _compare(old: Json, new: Json, field: str) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{field}.{name}" if field else name
            yield from _compare(old.get(name), new.get(name), inner)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Difference(field=field, old=old, new=new)


def compare_items(old: Sequence[Json] | None, new: Sequence[Json]) -> tuple[Action, tuple[Difference, ...]]:
    """Return what turns one list of items into another: how many go and come, and the first of them."""
    if old is None:
        return "create", (Difference(field="items", new=_sum_up(list(new))),)
    before, after = {repr(item) for item in old}, {repr(item) for item in new}
    gone = [item for item in old if repr(item) not in after]
    come = [item for item in new if repr(item) not in before]
    if gone or come:
        return "update", (
            Difference(
                field="items", old=_sum_up(gone) if gone else None, new=_sum_up(come) if come else None
            ),
        )
    if list(old) != list(new):
        return "update", (Difference(field="items", old="as they were", new="in another order"),)
    return "unchanged", ()


def _sum_up(items: list[Json]) -> Json:
    return items if len(items) <= SHOWN else [*items[:SHOWN], f"… {len(items) - SHOWN} more"]
