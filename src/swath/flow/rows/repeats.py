"""Rows that an item has given before, as they come where rows shift between pages: told by a key."""

from collections.abc import Collection

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.paging.records import digest
from swath.flow.paths import DottedPath, compile_path


class Repeats:
    """Finds them. `path` leads to the key: `results.id` is the `id` of each row at `results`.

    Raises InvalidInput for a path that names no key.
    """

    def __init__(self, path: str) -> None:
        steps = () if path.startswith("$") else compile_path(path).steps or ()
        if not steps or not isinstance(steps[-1], str):
            raise InvalidInput("unique_by", "Must lead to a key of the rows, e.g. results.id.")
        self._key = steps[-1]
        self._arrays = DottedPath(path, steps[:-1])
        self._item = -1
        #: Digests of the keys of one item.
        self._seen: set[bytes] = set()

    def find(self, item: int, value: Json) -> frozenset[int]:
        """Return which rows of an item's next page came before, counted over the page."""
        if item != self._item:
            self._item, self._seen = item, set()
        found = []
        for number, row in enumerate(row for array in self._find_arrays(value) for row in array):
            key = row.get(self._key) if isinstance(row, dict) else None
            if key is None:
                continue
            mark = digest(key)
            if mark in self._seen:
                found.append(number)
            self._seen.add(mark)
        return frozenset(found)

    def drop(self, value: Json, numbers: Collection[int]) -> None:
        """Take the rows of these numbers out of a page."""
        first = 0
        for array in self._find_arrays(value):
            count = len(array)
            array[:] = [row for number, row in enumerate(array, first) if number not in numbers]
            first += count

    def _find_arrays(self, value: Json) -> list[list[Json]]:
        return [found for found in self._arrays.find(value) if isinstance(found, list)]
