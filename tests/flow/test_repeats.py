"""Rows that came before, told by a key: in their item, and in the whole execution."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import InvalidInput
from swath.flow.rows.repeats import Repeats, find_repeats, number_marks, read_key

row = st.fixed_dictionaries(
    {}, optional={"id": st.integers(0, 5) | st.none(), "day": st.sampled_from("ab"), "v": st.integers()}
)
#: Of each item, of each page, the rows.
items = st.lists(st.lists(st.lists(row, max_size=4), max_size=3), max_size=6)


def run(items: list[Any], shard: int, keys: Any) -> list[list[dict[str, Any]]]:
    """Return the rows of each page that stay, so many items a shard, first by item, then over all."""
    key = read_key(keys)
    shards = [range(first, min(first + shard, len(items))) for first in range(0, len(items), shard)]
    repeated: Any = {}
    marks = []
    for numbers in shards:
        marks.append(bytearray())
        repeats = Repeats(key, marks[-1])
        for item in numbers:
            for page in items[item]:
                repeats.find(item, {"r": page})
    rows = (each for number, mark in enumerate(marks) for each in number_marks(number, bytes(mark)))
    find_repeats(rows, repeated)
    kept = []
    for number, numbers in enumerate(shards):
        repeats = Repeats(key, None, repeated.get(number, ()))
        for item in numbers:
            for page in items[item]:
                value = {"r": [dict(each) for each in page]}
                repeats.drop(value, repeats.find(item, value))
                kept.append(value["r"])
    return kept


@given(items, st.integers(1, 3), st.sampled_from(["r.id", ("r.id", "r.day")]))
def test_of_each_key_the_first_row_stays(items: list[Any], shard: int, keys: Any) -> None:
    """Over the execution, whatever the shards; rows without the key all stay."""
    names = ["id"] if keys == "r.id" else ["id", "day"]
    seen: set[Any] = set()
    expected = []
    for page in (page for item in items for page in item):
        expected.append([])
        for each in page:
            mark = tuple(each.get(name) for name in names)
            if mark not in seen or not any(value is not None for value in mark):
                expected[-1].append(each)
            seen.add(mark)
    assert run(items, shard, keys) == expected


def test_within_an_item_other_items_do_not_count() -> None:
    repeats = Repeats(read_key("r.id"))
    assert repeats.find(0, {"r": [{"id": 1}, {"id": 1}]}) == {1}
    assert repeats.find(0, {"r": [{"id": 2}, {"id": 1}]}) == {1}
    assert repeats.find(1, {"r": [{"id": 1}]}) == set()


@pytest.mark.parametrize("paths", ["", "$.a", (), "r[0]", ("r.id", "s.id"), ("r.id", "")])
def test_what_is_no_key_is_refused(paths: Any) -> None:
    with pytest.raises(InvalidInput):
        read_key(paths)


@pytest.mark.parametrize(
    ("keys", "page", "left"),
    [
        (
            "edges.node.id",
            {"edges": [{"node": {"id": 1}}, {"node": {"id": 1}, "c": 2}, {"node": None}, {"node": {}}]},
            {"edges": [{"node": {"id": 1}}, {"node": None}, {"node": {}}]},
        ),
        (
            ["r.id", "r.by.id"],
            {"r": [{"id": 1, "by": {"id": 1}}, {"id": 1, "by": {"id": 2}}, {"id": 1, "by": {"id": 1}}]},
            {"r": [{"id": 1, "by": {"id": 1}}, {"id": 1, "by": {"id": 2}}]},
        ),
        ("id", [{"id": 1}, [{"id": 1}, 5, {"id": 2}], {"id": 2}], [{"id": 1}, [5, {"id": 2}]]),
        ("user.id", [{"user": {"id": 1}}, {"user": {"id": 1}}], [{"user": {"id": 1}}]),
        (
            "a.b.id",
            {"a": [{"b": [{"id": 1}]}, {"b": [{"id": 1}, {"id": 2}]}]},
            {"a": [{"b": [{"id": 1}]}, {"b": [{"id": 2}]}]},
        ),
        ("r[*].id", {"r": [{"id": 1}, {"id": 1}]}, {"r": [{"id": 1}]}),
        (
            "r[1].s.id",
            {"r": [{"s": [{"id": 1}]}, {"s": [{"id": 1}, {"id": 1}]}]},
            {"r": [{"s": [{"id": 1}]}, {"s": [{"id": 1}]}]},
        ),
        ("r[7].id", {"r": [{"id": 1}, {"id": 1}]}, {"r": [{"id": 1}, {"id": 1}]}),
    ],
)  # fmt: skip
def test_the_rows_are_those_of_the_innermost_array(keys: Any, page: Any, left: Any) -> None:
    """A key may stand deeper in a row, in an object, and rows in arrays in arrays."""
    repeats = Repeats(read_key(keys))
    repeats.drop(page, repeats.find(0, page))
    assert page == left
