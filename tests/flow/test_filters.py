"""Filters: what the operators mean, how parameters come in, and what is dropped."""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import InvalidInput
from swath.flow.bodies import Number
from swath.flow.definition import Filter, Json
from swath.flow.filters import bind_filters, compile_filters, matches


@pytest.mark.parametrize(
    ("left", "op", "right", "expected"),
    [
        (1, "=", 1, True),
        (1, "=", "1.0", True),
        ("1546297200", "=", "1546297200.0", True),
        (1546297201, ">=", "1546297200.0", True),
        ("9", "<", "10", True),
        ("9a", "<", "10", False),
        ("2019-01-02", ">", "2019-01-01", True),
        (2**63 + 1, ">", 2**63, True),
        ("9223372036854775809", ">", "9223372036854775808", True),
        ("0.1", "=", 0.1, True),
        ("1e2", "=", 100, True),
        ("-5", "<", 3, True),
        (msgspec.Raw("1.50"), "=", 1.5, True),
        (Number("1.50"), "=", 1.5, True),
        (msgspec.Raw("1.50"), "<", "abc", False),
        (Number("1.50"), "<", "abc", False),
        ([Number("1.50"), "a"], "=", [1.5, "a"], True),
        ([msgspec.Raw("1.50")], "=", (1.5,), True),
        ([1], "=", [1, 2], False),
        ({"a": Number("1.0")}, "=", {"a": 1}, True),
        ({"a": 1}, "=", {"b": 1}, False),
        ([1], "=", "1", False),
        ("x", "=", "x", True),
        ("x", "=", "X", False),
        (True, "=", True, True),
        (True, "=", "true", True),
        (True, "=", 1, False),
        (True, ">", 0, False),
        ("nan", "=", "nan", True),
        ("inf", ">", 5, False),
        (None, "=", None, True),
        (None, "=", "", False),
        (None, "!=", 5, True),
        (None, "<", 5, False),
        (5, ">", None, False),
        ("a", "!=", "b", True),
        ("a", "in", "a, b", True),
        ("c", "in", "a,b", False),
        (2, "in", [1, "2.0"], True),
        (2, "in", "1,2", True),
        (2, "in", 2, True),
        (None, "in", "a", False),
        (3, "not_in", (1, 2), True),
        (None, "not_in", "a", True),
        ("hello", "contains", "ell", True),
        ("hello", "contains", "x", False),
        (["a", 2], "contains", "2", True),
        (["ab"], "contains", "a", False),
        ({"k": 1}, "contains", "k", True),
        (12345, "contains", 34, True),
        (None, "contains", "", False),
        ("ab12", "matches", r"\d+$", True),
        ("ab", "matches", "^b", False),
        (None, "matches", ".*", False),
        (0, "exists", None, True),
        ("", "exists", True, True),
        (None, "exists", None, False),
        (None, "exists", False, True),
        (1, "exists", False, False),
        ([1], "=", [1], True),
        ([1], "=", (1,), True),
        ({"a": 1}, "=", "x", False),
    ],
)
def test_operators(left: Json, op: str, right: Json, expected: bool) -> None:
    """Numbers compare as numbers where both sides read as numbers, else text as text."""
    assert matches(op, left, right) is expected


def test_an_unknown_operator_and_a_bad_expression_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Known are: = !="):
        matches("~", 1, 1)
    with pytest.raises(InvalidInput, match="regular expression"):
        compile_filters([Filter(path="a", op="matches", value="(")])
    with pytest.raises(InvalidInput, match="path"):
        compile_filters([Filter(path="a..b")])


def test_parameters_are_put_into_values() -> None:
    """A value that is one parameter takes its type, one among text its text; also inside of lists."""
    filters = (
        Filter(path="a", op=">=", value="{{ low }}"),
        Filter(path="b", value="x-{{low}}-{{name}}"),
        Filter(path="c", op="in", value=["{{name}}", 5]),
        Filter(path="d", value=7),
    )
    bound = bind_filters(filters, {"low": 3, "name": "n", "unused": 1})
    assert [each.value for each in bound] == [3, "x-3-n", ["n", 5], 7]
    assert [each.path for each in bound] == ["a", "b", "c", "d"]


def test_a_filter_whose_parameter_was_not_given_is_skipped() -> None:
    filters = (
        Filter(path="a", value="{{x}}"),
        Filter(path="b", value="{{y}} {{x}}"),
        Filter(path="c", op="in", value=["{{x}}"]),
        Filter(path="d", value="{{y}}"),
    )
    assert [each.path for each in bind_filters(filters, {"y": None})] == ["d"]


def kept(filters: list[Filter], value: Json) -> Json:
    """What the filters leave of a value; "dropped" if nothing."""
    sieve = compile_filters(filters)
    assert sieve is not None
    value = copy.deepcopy(value)
    return value if sieve(value) else "dropped"


PAGE = {
    "status": "ok",
    "results": [
        {"id": 1, "user": {"age": 20}, "children": [{"age": 5}, {"age": 15}]},
        {"id": 2, "user": None, "children": []},
        {"id": 3, "children": [{"name": "x"}]},
        "scalar",
    ],
}


def test_elements_are_dropped_with_all_below_them() -> None:
    left = kept([Filter(path="results.id", op=">", value=1)], PAGE)
    assert [each["id"] for each in left["results"][:-1]] == [2, 3]
    assert left["results"][-1] == "scalar"


def test_the_innermost_array_is_thinned() -> None:
    """A filter on children drops children; their parents stay."""
    left = kept([Filter(path="results.children.age", op=">=", value=10)], PAGE)
    assert [each["children"] for each in left["results"][:-1]] == [[{"age": 15}], [], []]


def test_a_filter_on_root_keys_drops_the_response() -> None:
    assert kept([Filter(path="status", value="ok")], PAGE) == PAGE
    assert kept([Filter(path="status", value="bad")], PAGE) == "dropped"
    assert kept([Filter(path="absent", op="exists")], PAGE) == "dropped"


def test_an_object_inside_of_an_element_stands_for_the_element() -> None:
    """Where the object that would hold the key is absent there is nothing to judge; `exists` on it judges."""
    left = kept([Filter(path="results.user.age", op=">", value=30)], PAGE)
    assert [each["id"] for each in left["results"][:-1]] == [2, 3]
    left = kept([Filter(path="results.user", op="exists")], PAGE)
    assert [each["id"] for each in left["results"][:-1]] == [1]


def test_indices_and_arrays_in_arrays() -> None:
    page = {"r": [{"t": [1, 2]}, {"t": [5]}, {"t": []}], "g": [[{"v": 1}, {"v": 2}], [{"v": 3}]]}
    assert kept([Filter(path="r.t[0]", op=">", value=2)], page)["r"] == [{"t": [5]}]
    assert kept([Filter(path="g.v", op="!=", value=2)], page)["g"] == [[{"v": 1}], [{"v": 3}]]
    assert kept([Filter(path="r.t[*]", op=">", value=1)], page)["r"] == [{"t": [2]}, {"t": [5]}, {"t": []}]


def test_a_list_itself_can_be_judged() -> None:
    page = {"r": [{"t": ["a", "b"]}, {"t": ["c"]}]}
    assert kept([Filter(path="r.t", op="contains", value="c")], page)["r"] == [{"t": ["c"]}]


def test_a_top_level_array_is_thinned() -> None:
    assert kept([Filter(path="id", op="<", value=2)], [{"id": 1}, {"id": 2}]) == [{"id": 1}]


def test_all_filters_must_hold() -> None:
    page = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}]
    assert kept([Filter(path="a", value=1), Filter(path="b", value=1)], page) == page[:1]


@pytest.mark.parametrize("path", ["$.r[*].v", "$..v", "$.r[?@.v].v"])
def test_jsonpaths_drop_the_element_around_a_match(path: str) -> None:
    page = {"r": [{"v": 1}, {"v": 2}, {"w": 3}, {"v": 4}]}
    left = kept([Filter(path=path, op="in", value="2,4")], page)
    assert [each.get("v") for each in left["r"] if "v" in each] == [2, 4]


def test_jsonpath_matches_in_no_array_drop_the_response() -> None:
    assert kept([Filter(path="$..status", value="no")], {"status": "yes"}) == "dropped"


numbers = st.integers(-3, 3) | st.sampled_from(["1", "2.0", "x", "", None, True])
rows = st.lists(st.dictionaries(st.sampled_from(["a", "b"]), numbers) | st.integers(), max_size=6)
plain_operators: dict[str, Any] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def plain_matches(op: Any, left: Json, right: int) -> bool:
    """The operators against an integer, said plainly."""
    try:
        number = float("x" if isinstance(left, bool) else left)
    except (TypeError, ValueError):
        return bool(op == "!=")
    return bool(plain_operators[op](number, right))


@given(
    page=st.fixed_dictionaries({"r": rows}),
    op=st.sampled_from(list(plain_operators)),
    bound=st.integers(-3, 3),
)
def test_filters_agree_with_a_plain_reference(page: Json, op: Any, bound: int) -> None:
    """Elements are kept if and only if their value satisfies the operator; those that are no objects stay."""
    expected = [
        each for each in page["r"] if not isinstance(each, dict) or plain_matches(op, each.get("a"), bound)
    ]
    assert kept([Filter(path="r.a", op=op, value=bound)], page) == {"r": expected}
