"""Paths into JSON: dotted ones, and JSONPath where they start with `$`."""

from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import InvalidInput
from swath.flow.paths import JSONPath, compile_path

PAGE = {
    "next": "abc",
    "results": [{"id": 1, "tags": ["x", "y"], "a.b": 5}, {"id": 2}, {"name": "C", "tags": []}],
    "data": {"items": [{"id": 7}], "none": None},
    "grid": [[{"v": 1}], [{"v": 2}]],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("next", ["abc"]),
        ("results.id", [1, 2]),
        ("results[0].id", [1]),
        ("results[-1].name", ["C"]),
        ("results[9].name", []),
        ("results[*].id", [1, 2]),
        ("results.tags", [["x", "y"], []]),
        ("results.tags[0]", ["x"]),
        ("results.tags[*]", ["x", "y"]),
        ('results["a.b"]', [5]),
        ("results['a.b']", [5]),
        ("data.items.id", [7]),
        ("data.none", [None]),
        ("data.none.deeper", []),
        ("grid.v", [1, 2]),
        ("missing.id", []),
        ("next.length", []),
        ("$", [PAGE]),
        ("$.next", ["abc"]),
        ("$.results[1].id", [2]),
        ("$.results[*].id", [1, 2]),
        ("$['data']['items'][0].id", [7]),
        ("$.data[*]", [[{"id": 7}], None]),
        ("$.results.id", []),
        ("$..id", [1, 2, 7]),
        ("$.results[?@.id > 1].id", [2]),
    ],
)
def test_a_path_finds_values_in_document_order(path: str, found: list[Any]) -> None:
    """A dotted name that meets an array means every element; in JSONPath it does not."""
    compiled = compile_path(path)
    assert compiled.find(PAGE) == found
    assert compiled.first(PAGE, "none at all") == (found[0] if found else "none at all")


def test_null_is_a_value_and_absence_is_the_default() -> None:
    assert compile_path("data.none").first(PAGE, 5) is None
    assert compile_path("data.absent").first(PAGE) is None


@pytest.mark.parametrize(
    "path", ["", " ", "a..b", ".a", "a.", "a[", "a[x]", "a]", 'a["b', "$.", "$.a[", "$$", "a[0"]
)
def test_a_path_that_cannot_be_read_says_what_to_do(path: str) -> None:
    """The error names the field and shows how a path is written."""
    with pytest.raises(InvalidInput) as caught:
        compile_path(path)
    ((field, message),) = caught.value.fields
    assert field == "path"
    assert len(message) > 20


@pytest.mark.parametrize("path", ["$.next", "$", "$['a b'][0]", "$.a[*].b", "$[-1]"])
def test_simple_jsonpaths_are_walked_without_the_engine(path: str) -> None:
    assert not isinstance(compile_path(path), JSONPath)


values = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=15,
)
steps = st.sampled_from([".a", ".b", ".c", "[0]", "[1]", "[-1]", "[*]", "['a']", '["b"]'])


@given(values, st.lists(steps, max_size=4))
def test_simple_jsonpaths_find_what_the_engine_finds(value: Any, path: list[str]) -> None:
    """The fast walk is a JSONPath engine for the paths that it takes."""
    text = "$" + "".join(path)
    assert compile_path(text).find(value) == [node.value for node in jsonpath_rfc9535.finditer(text, value)]
