"""The rows of one response, the readable way: the reference that the compiled way has to agree with.

- Every array gives a row per element, in the collection of its path without indices. An array inside an
  array has the same path, so its elements are rows of the same collection.
- An object's row has its scalars under dotted keys, and of each array in it the first element, as `[0]`.
- A row carries the scalars of the objects around it (its ancestors), nearest first, without their `[0]`.
- The root object is a row where it has scalars of its own (or is asked for by name); a root that is itself a
  scalar is a row too. Null is a scalar; an empty array or object is nothing, but `{}` in an array is a row.
- An object at one of the `key_values` paths is read as an array of its values, each row with its key first;
  at a path that is given twice, so are the objects among these values.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple, Union

from swath.flow.bodies import MAX_DEPTH, TOO_DEEP, NotJsonError
from swath.flow.definition import Json
from swath.flow.rows.names import FIRST, KEY, VALUE, CollectionPath, ColumnPath

#: A value and the column that it belongs to.
Cell = tuple[ColumnPath, Json]


class Row(NamedTuple):
    """One row: its collection, its own cells in the order of the document, and its ancestors' scalars."""

    path: CollectionPath
    #: How many arrays (or key/value objects) were entered on the way.
    depth: int
    cells: list[Cell]
    ancestors: list[Cell]


class _Found:
    """What an object holds: cells for its row, the scalars among them, and the arrays below it."""

    __slots__ = ("arrays", "cells", "scalars")

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.scalars: list[Cell] = []
        self.arrays: list[tuple[CollectionPath, Json]] = []


class Walk:
    """Walks responses; the same settings for all of them."""

    def __init__(
        self,
        key_values: Collection[CollectionPath] = (),
        *,
        leads_on: Callable[[CollectionPath], bool] = lambda path: True,
        root_wanted: bool = False,
    ) -> None:
        """`leads_on` tells whether an array or anything below it is wanted; what is not may be left out."""
        self._levels = Counter(key_values)
        self._leads_on = leads_on
        self._root_wanted = root_wanted

    def rows(self, value: Json) -> Iterator[Row]:
        """Yield the rows of a response: an object's before those of the arrays in it.

        The steps below yield rows and further steps; a stack of them bears what recursion would not.
        """
        stack = [self._start(value)]
        while stack:
            for step in stack[-1]:
                if isinstance(step, Row):
                    yield step
                else:
                    stack.append(step)
                    break
            else:
                stack.pop()

    def find_crowded(self, value: Json, threshold: int) -> tuple[CollectionPath, ...]:
        """Return the paths of the outermost objects that have more keys than `threshold` by themselves.

        Raises NotJsonError for a response that is nested deeper than can be walked.
        """
        found: dict[CollectionPath, None] = {}

        def search(value: Json, path: CollectionPath, keys: int, depth: int) -> None:
            if depth > MAX_DEPTH:
                raise NotJsonError(TOO_DEEP)
            if isinstance(value, list):
                below = [(each, path, keys) for each in value]
            elif keys < self._levels[path]:
                below = [(each, path, keys + 1) for each in value.values()]
            elif len(value) > threshold:
                found[path] = None
                return
            else:
                below = [(each, (*path, key), 0) for key, each in value.items()]
            for each, where, level in below:
                if isinstance(each, dict | list):
                    search(each, where, level, depth + 1)

        if isinstance(value, dict | list):
            search(value, (), 0, 1)
        return tuple(found)

    def _start(self, value: Json) -> "Steps":
        if isinstance(value, list) or (isinstance(value, dict) and self._levels[()]):
            yield self._elements((), value, [], 1, [])
        elif isinstance(value, dict):
            yield from self._root(value)
        else:
            yield Row((), 0, [((), value)], [])

    def _root(self, value: dict[str, Json]) -> "Steps":
        found = self._search(value, (), _Found())
        if found.scalars or (self._root_wanted and found.cells):
            yield Row((), 0, found.cells, [])
        yield self._below(found, found.scalars, 1)

    def _elements(
        self, path: CollectionPath, array: Json, ancestors: list[Cell], depth: int, keys: list[Cell]
    ) -> "Steps":
        if isinstance(array, dict):
            for key, element in array.items():
                column: ColumnPath = (*path, *[KEY] * len(keys), KEY)
                yield from self._element(path, element, ancestors, depth, [*keys, (column, key)])
        else:
            for element in array:
                yield from self._element(path, element, ancestors, depth, keys)

    def _element(
        self, path: CollectionPath, element: Json, ancestors: list[Cell], depth: int, keys: list[Cell]
    ) -> "Steps":
        keyed = isinstance(element, dict) and len(keys) < self._levels[path]
        if keyed or isinstance(element, list):
            yield self._elements(path, element, ancestors, depth, keys)
        elif isinstance(element, dict):
            yield from self._object(path, element, ancestors, depth, keys)
        else:
            column: ColumnPath = (*path, VALUE) if keys else path
            yield Row(path, depth, [*keys, (column, element)], ancestors)

    def _object(
        self,
        path: CollectionPath,
        value: dict[str, Json],
        ancestors: list[Cell],
        depth: int,
        keys: list[Cell],
    ) -> "Steps":
        found = _Found()
        found.cells.extend(keys)
        found.scalars.extend(keys)
        self._search(value, path, found)
        yield Row(path, depth, found.cells, ancestors)
        if found.arrays:
            yield self._below(found, found.scalars + ancestors, depth + 1)

    def _below(self, found: _Found, ancestors: list[Cell], depth: int) -> "Steps":
        for path, array in found.arrays:
            if self._leads_on(path):
                yield self._elements(path, array, ancestors, depth, [])

    def _search(self, value: dict[str, Json], path: CollectionPath, found: _Found) -> _Found:
        for key, child in value.items():
            where = (*path, key)
            if isinstance(child, dict):
                if self._levels[where]:
                    found.arrays.append((where, child))
                else:
                    self._search(child, where, found)
            elif isinstance(child, list):
                found.arrays.append((where, child))
                self._inner(child, where, where, found.cells)
            else:
                found.cells.append((where, child))
                found.scalars.append((where, child))
        return found

    def _inner(self, value: Json, column: ColumnPath, path: CollectionPath, cells: list[Cell]) -> None:
        """Add the cells of an array's first element; `path` is where it stands, without indices."""
        while isinstance(value, list):
            if not value:
                return
            value, column = value[0], (*column, FIRST)
        if not isinstance(value, dict):
            cells.append((column, value))
            return
        for key, child in value.items():
            where = (*path, key)
            if not (isinstance(child, dict) and self._levels[where]):
                self._inner(child, (*column, key), where, cells)


#: What a step of the walk finds: rows, and steps to take before it goes on.
Steps = Iterator[Union[Row, "Steps"]]
