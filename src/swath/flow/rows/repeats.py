"""Rows that came before, told by a key: on another page of the item, or anywhere in the execution.

What came before in the same item is known at once. Of all items together it is known when all are there:
each shard notes the marks of its rows, and is extracted again without those that `find_repeats` names.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.paths import DottedPath, compile_path
from swath.flow.request.encoding import dump

#: Bytes of a key's mark: two different keys never have one in practice.
MARK = 16


@dataclass(frozen=True, slots=True)
class Key:
    """Where the rows stand, and by which of their keys they are told apart."""

    arrays: DottedPath
    names: tuple[str, ...]


def read_key(paths: str | Sequence[str]) -> Key:
    """Return the key that paths lead to: `results.id` is the `id` of each row at `results`.

    Raises InvalidInput for paths that name no key, or keys of rows at different places.
    """
    listed = [paths] if isinstance(paths, str) else list(paths)
    steps = [() if path.startswith("$") else compile_path(path).steps or () for path in listed]
    names = tuple(each[-1] for each in steps if each and isinstance(each[-1], str))
    if not names or len(names) < len(listed):
        raise InvalidInput("unique_by", "Must lead to a key of the rows, e.g. results.id.")
    if len({each[:-1] for each in steps}) > 1:
        raise InvalidInput("unique_by", "All keys must be of the same rows, e.g. results.id and results.day.")
    return Key(DottedPath(listed[0], steps[0][:-1]), names)


class Repeats:
    """Finds a shard's repeated rows, page by page.

    With `marks` the marks of all rows that are told apart are added to it. `dropped` are those of them, by
    number, that came before in another shard.
    """

    def __init__(self, key: Key, marks: bytearray | None = None, dropped: Sequence[int] = ()) -> None:
        self._key = key
        self._marks = marks
        self._dropped = dropped
        self._item = -1
        #: Marks of the keys of one item.
        self._seen: set[bytes] = set()
        self._count = 0

    def find(self, item: int, value: Json) -> frozenset[int]:
        """Return which rows of an item's next page came before, counted over the page."""
        if item != self._item:
            self._item, self._seen = item, set()
        found = []
        for number, row in enumerate(row for rows in self._find_arrays(value) for row in rows):
            mark = self._mark(row)
            if mark is not None and (mark in self._seen or self._is_dropped(mark)):
                found.append(number)
            if mark is not None:
                self._seen.add(mark)
        return frozenset(found)

    def drop(self, value: Json, numbers: Collection[int]) -> None:
        """Take the rows of these numbers out of a page."""
        first = 0
        for rows in self._find_arrays(value):
            count = len(rows)
            rows[:] = [row for number, row in enumerate(rows, first) if number not in numbers]
            first += count

    def _mark(self, row: Json) -> bytes | None:
        """Return a row's mark; None for one that has none of the keys."""
        values = [row.get(name) for name in self._key.names] if isinstance(row, dict) else []
        if all(value is None for value in values):
            return None
        return hashlib.blake2b(dump(values), digest_size=MARK).digest()

    def _is_dropped(self, mark: bytes) -> bool:
        """Count a row that is the first of its item; tell whether another shard or item had it."""
        if self._marks is not None:
            self._marks += mark
        place = bisect_left(self._dropped, self._count)
        found = place < len(self._dropped) and self._dropped[place] == self._count
        self._count += 1
        return found

    def _find_arrays(self, value: Json) -> list[list[Json]]:
        return [found for found in self._key.arrays.find(value) if isinstance(found, list)]


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
