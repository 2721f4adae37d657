"""The plan: input items by index."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import (
    Axis,
    Batch,
    DateWindows,
    Drawn,
    NumberRange,
    ResultColumn,
    ResultTable,
    Source,
    VariableMapping,
    Workflow,
)
from swath.flow.plan import (
    Plan,
    check_lengths,
    choose_shard_size,
    count_items,
    count_shards,
    decode,
    encode,
    is_drawn,
    lay_axes,
    list_columns,
    settle_drawn,
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


def look_up(mapping: VariableMapping) -> Axis:
    if mapping.from_result:
        return Axis(count=0, sources=(), result=ResultTable(execution_id="e", revision=0))
    number, version, count = {"users": (1, 5, 10), "days": (2, 1, 3)}[mapping.source_collection_id or ""]
    return Axis(count=count, sources=(), snapshot=(number, version))


NOW = datetime(2024, 3, 15, 12, 30, tzinfo=UTC)


def lay(
    mappings: Sequence[VariableMapping],
    parameters: dict[str, object] | None = None,
    listable: Collection[str] = (),
    **more: Any,
) -> tuple[Axis, ...]:
    workflow = Workflow(name="w", endpoint_id="e", mappings=tuple(mappings), **more)
    return lay_axes(workflow, parameters or {}, frozenset(listable), look_up, NOW)


def mapping(variable: str, collection: str, key: str | None = None) -> VariableMapping:
    return VariableMapping(
        target_variable_name=variable, source_collection_id=collection, source_collection_json_key=key
    )


def test_one_collection_is_one_axis_however_many_keys_are_taken() -> None:
    """Mappings from one collection go row by row, from different ones they multiply."""
    mappings = [mapping("id", "users", "id"), mapping("day", "days"), mapping("name", "users", "name")]
    axes = lay(mappings)
    assert [(a.snapshot, [s.variable for s in a.sources]) for a in axes] == [
        ((1, 5), ["id", "name"]),
        ((2, 1), ["day"]),
    ]


def test_a_scalar_parameter_takes_the_mapping_away_and_a_list_takes_its_place() -> None:
    """As real clients use them: a list is an inline collection."""
    mappings = [mapping("id", "users"), mapping("day", "days")]
    axes = lay(mappings, {"id": ["7", "8", "7"], "day": "2019-01-01"})
    assert [(a.values, a.count) for a in axes] == [(("7", "8"), 2)]


def test_a_list_for_an_unmapped_variable_is_an_axis_of_its_own() -> None:
    """A variable that the templates use needs no mapping to be fed by a list; other names are ignored."""
    axes = lay([], {"tag": ["a", "b"], "nobody": [1]}, ["tag"])
    assert [a.sources[0].variable for a in axes] == ["tag"]


def test_zipped_inputs_of_different_length_are_refused() -> None:
    """Nothing is cut off in silence."""
    with pytest.raises(InvalidInput, match="id 10, day 3"):
        lay([mapping("id", "users"), mapping("day", "days")], join="zip")


def test_a_range_is_arithmetic() -> None:
    """A million numbers are two in the definition, and drawn by position."""
    (numbers,) = lay([], ranges=(NumberRange(variable="page", first=1, last=1_000_000, step=3),))
    assert (numbers.count, numbers.values) == (333_334, None)
    plan = plan_of(numbers)
    assert [plan.inputs(i) for i in (0, 1, 333_333)] == [{"page": 1}, {"page": 4}, {"page": 1_000_000}]
    (down,) = lay([], ranges=(NumberRange(variable="year", first=2024, last=2022, step=-1),))
    assert [plan_of(down).inputs(i)["year"] for i in range(3)] == [2024, 2023, 2022]


def test_date_windows_give_two_variables_row_by_row() -> None:
    """Of one rule begin and end belong together; with a list they multiply."""
    rule = DateWindows(from_variable="since", until_variable="until", first="2024-03-13", last="today")
    axes = lay([], {"tag": ["a", "b"]}, ["tag"], date_windows=(rule,))
    plan = plan_of(*axes)
    assert [plan.inputs(i) for i in range(len(plan))] == [
        {"since": since, "until": until, "tag": tag}
        for since, until in (("2024-03-13", "2024-03-14"), ("2024-03-14", "2024-03-15"))
        for tag in ("a", "b")
    ]
    (only,) = lay([], {"until": "2030-01-01"}, date_windows=(rule,))
    assert [source.variable for source in only.sources] == ["since"]


def test_batches_join_values() -> None:
    """Two at a time, the last one shorter; numbers as JSON writes them; of keys row by row."""
    batches = {"id": Batch(size=2), "page": Batch(size=3, separator="|")}
    (ids,) = lay([], {"id": ["a", "b", "c"]}, ["id"], batches=batches)
    assert [plan_of(ids).inputs(i) for i in range(ids.count)] == [{"id": "a,b"}, {"id": "c"}]
    (pages,) = lay([], ranges=(NumberRange(variable="page", first=1, last=4),), batches=batches)
    assert [plan_of(pages).inputs(i) for i in range(pages.count)] == [{"page": "1|2|3"}, {"page": "4"}]
    axes = lay([mapping("id", "users", "id"), mapping("name", "users", "name")], batches=batches)
    assert [(a.count, a.items, [s.variable for s in a.sources]) for a in axes] == [
        (5, 10, ["id"]),
        (10, 0, ["name"]),
    ]


@given(st.lists(st.text(alphabet="abc", min_size=1), unique=True, min_size=1), st.integers(1, 7))
def test_batches_lose_nothing(values: list[str], size: int) -> None:
    """All values, in order, none twice."""
    (batched,) = lay([], {"id": values}, ["id"], batches={"id": Batch(size=size)})
    plan = plan_of(batched)
    assert ",".join(plan.inputs(i)["id"] for i in range(len(plan))).split(",") == values


@given(st.integers(0, 10**9))
def test_shards_cover_all_items_and_are_never_too_many(items: int) -> None:
    """However many items there are, the queue stays short."""
    size = choose_shard_size(items)
    assert count_shards(items, size) <= 10_000
    assert (count_shards(items, size) - 1) * size < max(items, 1)


@given(st.integers(1, 10**6), st.integers(1, 400), st.integers(1, 16))
def test_there_are_shards_for_every_place(items: int, places: int, smallest: int) -> None:
    """Nobody goes without one while the others have two, unless so few items are left to each."""
    size = choose_shard_size(items, places, smallest)
    assert smallest <= size <= 1_000
    assert (
        size == smallest or count_shards(items, size) >= places or count_shards(items, size - 1) > 2 * places
    )


def test_shards_are_consecutive_ranges() -> None:
    """Each item is in exactly one shard."""
    covered = [item for _, first, count in shards_of(70, 16) for item in range(first, first + count)]
    assert covered == list(range(70))


def test_columns_of_one_table_go_row_by_row_and_are_counted_when_they_are_drawn() -> None:
    """How long such a list is is not known before; of one column it holds texts, of several objects."""

    def take(variable: str, column: str) -> VariableMapping:
        source = ResultColumn(workflow_id="w", column=column)
        return VariableMapping(target_variable_name=variable, from_result=source)

    (pair,) = lay([take("owner", "owner.login"), take("name", "name")], batches={})
    assert not is_drawn([pair])
    assert list_columns(pair) == ["owner.login", "name"]
    settled = settle_drawn(pair, 7, Drawn(rows=9, blank=1, repeated=1))
    assert is_drawn([settled])
    assert (settled.count, [source.key for source in settled.sources]) == (7, ["owner.login", "name"])
    (single,) = lay([take("id", "id")], batches={"id": Batch(size=3)})
    settled = settle_drawn(single, 7, Drawn(rows=7))
    assert (settled.count, settled.items, settled.sources[0].key) == (3, 7, None)


def test_zipped_lists_are_compared_once_their_lengths_are_known() -> None:
    """A list that is not drawn yet may turn out to be of the right length."""
    source = ResultColumn(workflow_id="w", column="id")
    taken = VariableMapping(target_variable_name="id", from_result=source)
    axes = lay([taken, mapping("day", "days")], join="zip")
    check_lengths([settle_drawn(axes[0], 3, Drawn(rows=3)), axes[1]], "zip")
    with pytest.raises(InvalidInput, match="id 4, day 3"):
        check_lengths([settle_drawn(axes[0], 4, Drawn(rows=4)), axes[1]], "zip")
