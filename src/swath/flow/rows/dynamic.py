"""Objects whose keys are data: which ones are to become rows of keys and values."""

from collections import defaultdict
from collections.abc import Iterable

from swath.flow.rows.fragments import Part
from swath.flow.rows.names import CollectionPath, ColumnPath


def find_dynamic(parts: Iterable[Part], threshold: int) -> tuple[CollectionPath, ...]:
    """Return the paths of objects with more than `threshold` different keys, in order of first appearance.

    Only the outermost of nested ones: what is inside will be seen when they are rows. Where there are any,
    the shards are to be extracted again with these paths added to `Extraction.key_value_paths`, until there
    are none left.
    """
    keys: dict[CollectionPath, set[str]] = defaultdict(set)
    crowded: dict[CollectionPath, None] = {}
    for part in parts:
        crowded.update(dict.fromkeys(part.dynamic))
        for column in part.own + part.ancestors:
            _note_keys(column, keys)
        _note_keys(part.path, keys)
    crowded.update(dict.fromkeys(path for path, below in keys.items() if len(below) > threshold))
    return tuple(path for path in crowded if not any(path[: len(up)] == up != path for up in crowded))


def _note_keys(column: ColumnPath, keys: dict[CollectionPath, set[str]]) -> None:
    path: CollectionPath = ()
    for key in column:
        if isinstance(key, int):
            return
        keys[path].add(key)
        path = (*path, key)
