"""The plan: input items by index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Axis, Source, VariableMapping
from swath.flow.plan import (
    Plan,
    choose_shard_size,
    count_items,
    count_shards,
    decode,
    encode,
    lay_axes,
    shards_of,
)


def axis(*values: object, variable: str = "x", key: str | None = None) -> Axis:
    return Axis(count=len(values), sources=(Source(variable=variable, key=key),), values=values)


def plan_of(*axes: Axis, join: str = "product", constants: dict[str, object] | None = None) -> Plan:
    return Plan(axes, join, constants or {}, lambda axis, position: axis.values[position])  # type: ignore


@given(st.lists(st.integers(1, 7), max_size=4), st.data())
def test_an_index_and_its_positions_are_one_to_one(counts: list[int], data: st.DataObject) -> None:
    """Every index below N decodes to positions that encode to it again, and all are different."""
    axes = [axis(*range(count)) for count in counts]
    total = count_items(axes, "product")
    index = data.draw(st.integers(0, total - 1))
    assert encode(decode(index, axes, "product"), axes) == index
    assert len({decode(i, axes, "product") for i in range(total)}) == total


def test_the_first_mapping_varies_slowest() -> None:
    """Of two collections the items of the second pass by for each of the first."""
    plan = plan_of(axis("a", "b"), axis(1, 2, 3, variable="y"))
    assert [tuple(plan.inputs(i).values()) for i in range(len(plan))] == [
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("b", 1),
        ("b", 2),
        ("b", 3),
    ]


def test_zipped_axes_go_row_by_row() -> None:
    """Zipped collections give as many items as each has."""
    plan = plan_of(axis("a", "b"), axis(1, 2, variable="y"), join="zip")
    assert [plan.inputs(i) for i in range(len(plan))] == [{"x": "a", "y": 1}, {"x": "b", "y": 2}]


def test_without_a_collection_there_is_one_item_of_constants() -> None:
    """A workflow without mappings sends its constants once."""
    plan = plan_of(constants={"q": "cats"})
    assert [plan.inputs(i) for i in range(len(plan))] == [{"q": "cats"}]


def test_an_empty_collection_gives_no_items() -> None:
    """The product with nothing is nothing."""
    assert len(plan_of(axis("a"), axis(variable="y"))) == 0


def test_a_json_item_gives_its_key_or_fails_alone() -> None:
    """A key is taken as it is or as a dotted path; an item that lacks it is a failed item."""
    plan = plan_of(axis({"id": 1, "at": {"city": "Oslo"}, "a.b": 2}, {}, variable="v", key="at.city"))
    assert plan.inputs(0) == {"v": "Oslo"}
    with pytest.raises(ItemFailed, match=r"at\.city"):
        plan.inputs(1)


def look_up(collection_id: str) -> tuple[int, int, int]:
    return {"users": (1, 5, 10), "days": (2, 1, 3)}[collection_id]


def mapping(variable: str, collection: str, key: str | None = None) -> VariableMapping:
    return VariableMapping(
        target_variable_name=variable, source_collection_id=collection, source_collection_json_key=key
    )


def test_one_collection_is_one_axis_however_many_keys_are_taken() -> None:
    """Mappings from one collection go row by row, from different ones they multiply."""
    mappings = [mapping("id", "users", "id"), mapping("day", "days"), mapping("name", "users", "name")]
    axes = lay_axes(mappings, {}, frozenset(), look_up, "product")
    assert [(a.snapshot, [s.variable for s in a.sources]) for a in axes] == [
        ((1, 5), ["id", "name"]),
        ((2, 1), ["day"]),
    ]


def test_a_scalar_parameter_takes_the_mapping_away_and_a_list_takes_its_place() -> None:
    """As real clients use them: a list is an inline collection."""
    mappings = [mapping("id", "users"), mapping("day", "days")]
    axes = lay_axes(mappings, {"id": ["7", "8", "7"], "day": "2019-01-01"}, frozenset(), look_up, "product")
    assert [(a.values, a.count) for a in axes] == [(("7", "8"), 2)]


def test_a_list_for_an_unmapped_variable_is_an_axis_of_its_own() -> None:
    """A variable that the templates use needs no mapping to be fed by a list; other names are ignored."""
    axes = lay_axes([], {"tag": ["a", "b"], "nobody": [1]}, frozenset({"tag"}), look_up, "product")
    assert [a.sources[0].variable for a in axes] == ["tag"]


def test_zipped_inputs_of_different_length_are_refused() -> None:
    """Nothing is cut off in silence."""
    with pytest.raises(InvalidInput, match="id 10, day 3"):
        lay_axes([mapping("id", "users"), mapping("day", "days")], {}, frozenset(), look_up, "zip")


@given(st.integers(0, 10**9))
def test_shards_cover_all_items_and_are_never_too_many(items: int) -> None:
    """However many items there are, the queue stays short."""
    size = choose_shard_size(items)
    assert count_shards(items, size) <= 10_000
    assert (count_shards(items, size) - 1) * size < max(items, 1)


def test_shards_are_consecutive_ranges() -> None:
    """Each item is in exactly one shard."""
    covered = [item for _, first, count in shards_of(70, 16) for item in range(first, first + count)]
    assert covered == list(range(70))
