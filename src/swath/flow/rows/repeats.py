"""Rows that came before, told by a key: on another page of the item, or anywhere in the execution.

What came before in the same item is known at once. Of all items together it is known when all are there:
each shard notes the marks of its rows, and is extracted again without those that `find_repeats` names.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.paths import Step, compile_path
from swath.flow.request.encoding import dump

#: Bytes of a key's mark: two different keys never have one in practice.
MARK = 16


@dataclass(frozen=True, slots=True)
class Key:
    """By which values rows are told apart: the steps that lead to each, and the first ones that all share."""

    paths: tuple[tuple[Step, ...], ...]
    shared: tuple[Step, ...]


def read_key(paths: str | Sequence[str]) -> Key:
    """Return the key that paths lead to: `results.id` is the `id` of each row at `results`.

    Of `edges.node.id` the rows are the edges, if these are the array: the innermost one on the way that the
    paths share. Raises InvalidInput for paths that name no key, or keys of rows at different places.
    """
    listed = [paths] if isinstance(paths, str) else list(paths)
    steps = tuple(() if path.startswith("$") else compile_path(path).steps or () for path in listed)
    if not steps or not all(each and isinstance(each[-1], str) for each in steps):
        raise InvalidInput("unique_by", "Must lead to a key of the rows, e.g. results.id.")
    ways = [each[:-1] for each in steps]
    shared = tuple(step[0] for step in takewhile(_is_one, zip(*ways, strict=False)))
    if not shared and all(ways):
        raise InvalidInput("unique_by", "All keys must be of the same rows, e.g. results.id and results.day.")
    return Key(steps, shared)


def _is_one(steps: Sequence[Step]) -> bool:
    return all(step == steps[0] for step in steps)


#: A row: the array that it stands in, its place there, and how many of the key's steps lead to it.
Row = tuple[list[Json], int, int]


class Repeats:
    """Finds a shard's repeated rows, page by page.

    With `marks` the marks of all rows that are told apart are added to it. `dropped` are those of them, by
    number, that came before in another shard.
    """

    def __init__(self, key: Key, marks: bytearray | None = None, dropped: Sequence[int] = ()) -> None:
        self._key = key
        self._marks = marks
        self._dropped = dropped
        #: How many rows have a key.
        self.told_apart = 0
        self._item = -1
        #: Marks of the keys of one item.
        self._seen: set[bytes] = set()
        self._count = 0

    def find(self, item: int, value: Json) -> frozenset[int]:
        """Return which rows of an item's next page came before, counted over the page."""
        if item != self._item:
            self._item, self._seen = item, set()
        found = []
        for number, (rows, place, at) in enumerate(self._rows(value, 0)):
            mark = self._mark(rows[place], at)
            if mark is not None and (mark in self._seen or self._is_dropped(mark)):
                found.append(number)
            if mark is not None:
                self._seen.add(mark)
        return frozenset(found)

    def drop(self, value: Json, numbers: Collection[int]) -> None:
        """Take the rows of these numbers out of a page."""
        doomed: dict[int, tuple[list[Json], set[int]]] = {}
        for number, (rows, place, _) in enumerate(self._rows(value, 0)):
            if number in numbers:
                doomed.setdefault(id(rows), (rows, set()))[1].add(place)
        for rows, places in doomed.values():
            rows[:] = [row for place, row in enumerate(rows) if place not in places]

    def _mark(self, row: Json, at: int) -> bytes | None:
        """Return a row's mark; None for one that has none of the keys."""
        values = [_take(row, path[at:]) for path in self._key.paths]
        if all(value is None for value in values):
            return None
        self.told_apart += 1
        return hashlib.blake2b(dump(values), digest_size=MARK).digest()

    def _is_dropped(self, mark: bytes) -> bool:
        """Count a row that is the first of its item; tell whether another shard or item had it."""
        if self._marks is not None:
            self._marks += mark
        place = bisect_left(self._dropped, self._count)
        found = place < len(self._dropped) and self._dropped[place] == self._count
        self._count += 1
        return found

    def _rows(self, value: Json, at: int) -> Iterator[Row]:
        """Yield the rows of a value to which so many steps led, in the order of the document."""
        steps = self._key.shared
        while isinstance(value, dict) and at < len(steps):
            value, at = value.get(steps[at]), at + 1
        if not isinstance(value, list):
            return
        places = range(len(value))
        if at < len(steps) and not isinstance(steps[at], str):
            places, at = _choose(places, steps[at]), at + 1
        for place in places:
            leads_on = at < len(steps) or isinstance(value[place], list)
            inner = list(self._rows(value[place], at)) if leads_on else ()
            yield from inner or ((value, place, at),)


def _choose(places: range, step: Step) -> range:
    """Return the places of an array that `[2]` or `[*]` stands for."""
    if not isinstance(step, int):
        return places
    return places[step:][:1] if -len(places) <= step < len(places) else places[:0]


def _take(value: Json, steps: Sequence[Step]) -> Json:
    """Return what stands below a row, where only objects are on the way."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def find_repeats(rows: Iterable[tuple[int, int, bytes]], repeated: "dict[int, array[int]]") -> None:
    """Add to `repeated`, by shard, the numbers of the rows that came before. Rows are (shard, number, mark).

    It holds the marks of all rows that it is given, so of many it is given those of a kind at a time.
    """
    seen: set[bytes] = set()
    for shard, number, mark in rows:
        if mark in seen:
            repeated.setdefault(shard, array("I")).append(number)
        seen.add(mark)


def number_marks(shard: int, marks: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the rows whose marks these are."""
    for number in range(len(marks) // MARK):
        yield shard, number, marks[number * MARK : (number + 1) * MARK]
