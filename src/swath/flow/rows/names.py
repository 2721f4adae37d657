"""What columns and collections are called.

A column is known by its path: keys as they stand in the JSON, `FIRST` for an array's first element, and in
the rows of a key/value collection `KEY` and `VALUE`. A collection's path has no indices. Names are paths
written out; where two paths would make one name, the later one gets a suffix (see `flow.unique`).
"""

FIRST = 0
KEY = -1
VALUE = -2

#: The path of a column.
ColumnPath = tuple[str | int, ...]
#: The path of a collection; `()` is the response itself: a root object, or the elements of a top-level array.
CollectionPath = tuple[str, ...]

#: The name of the collection whose path is empty.
ROOT_NAME = "response"

_SPECIAL = {FIRST: "[0]", KEY: ".key", VALUE: ".value"}


def write_path(path: ColumnPath) -> str:
    """Write a path out: `results.children[0].id`. The empty path is `response`."""
    written = "".join(_SPECIAL[key] if isinstance(key, int) else f".{key}" for key in path)
    return written.removeprefix(".") if path else ROOT_NAME


def relative_name(column: ColumnPath, collection: CollectionPath) -> str:
    """Write one of a collection's own columns as it is called inside its row.

    The column of bare scalars has nothing left of its path then; it is called like the collection's last key.
    """
    rest = column[len(collection) :]
    if rest:
        return write_path(rest)
    return collection[-1] if collection else ROOT_NAME
