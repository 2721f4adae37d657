"""A change in the form touches only its own lines of the text."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.flow.formula import SourceText
from swath.ui.amend import dump
from swath.ui.edits import edit_filters, put, set_endpoint, set_workflow_number
from swath.ui.sheet import Sheet

TEXT = """\
# Orders of all customers, as the finance people want them.
endpoints:
  Orders:   # the second version of the API
    method: POST
    url: 'https://api.example.com/{{customer}}'  # in quotes
    query: {page: "{{page}}", size: 100}

    headers:
      Accept: application/json   # they send XML else

workflows:
    Orders by customer:
        endpoint: Orders
        # twenty a second is what they allow
        rate_limits:
        - requests: 20   # agreed in June
          per_seconds: 1
        - {requests: 1000, per_seconds: 3600}
        filters: # only those of this year
          - path: orders.created_at
            op: '>='
            value: |
              2024
        concurrency: 8 # side by side
# the end
"""


def change(edit: Any) -> tuple[list[str], list[str]]:
    """Return the lines that an edit took away, and those that it brought."""
    sheet = Sheet(TEXT)
    sheet.change(edit)
    assert Sheet(sheet.text).value == sheet.value
    before, after = TEXT.splitlines(), sheet.text.splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


EDITS: dict[str, tuple[Any, list[str], list[str]]] = {
    "a value": (
        set_workflow_number("concurrency")(9),
        ["        concurrency: 8 # side by side"],
        ["        concurrency: 9 # side by side"],
    ),
    "a value in quotes": (
        set_endpoint("url")("https://b.example.com"),
        ["    url: 'https://api.example.com/{{customer}}'  # in quotes"],
        ["    url: https://b.example.com  # in quotes"],
    ),
    "in braces": (
        lambda endpoint, _: endpoint["query"].pop("size"),
        ['    query: {page: "{{page}}", size: 100}'],
        ["    query: {page: '{{page}}'}"],
    ),
    "a key more": (
        lambda endpoint, _: put(endpoint["headers"], "X-More", "a: b"),
        [],
        ["      X-More: 'a: b'"],
    ),
    "a key less": (set_endpoint("method", "GET")("GET"), ["    method: POST"], []),
    "the last of its keys": (
        lambda endpoint, _: endpoint["headers"].clear(),
        ["    headers:", "      Accept: application/json   # they send XML else"],
        ["    headers: {}   # they send XML else"],
    ),
    "in a list": (
        lambda _, workflow: workflow["rate_limits"][0].update(requests=30),
        ["        - requests: 20   # agreed in June"],
        ["        - requests: 30   # agreed in June"],
    ),
    "a list": (
        edit_filters("orders.id exists"),
        [
            "          - path: orders.created_at",
            "            op: '>='",
            "            value: |",
            "              2024",
        ],
        ["          - path: orders.id", "            op: exists"],
    ),
    "a section's last": (
        set_workflow_number("max_rows")(5),
        [],
        ["        max_rows: 5"],
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_comments_and_spelling_stay(name: str) -> None:
    edit, gone, come = EDITS[name]
    assert change(edit) == (gone, come)


def test_another_name_stays_in_its_place() -> None:
    sheet = Sheet(TEXT)
    sheet.rename("Orders: all")
    assert sheet.text == TEXT.replace("    Orders by customer:", "    'Orders: all':")


def test_what_cannot_be_amended_is_written_anew() -> None:
    """A change of what an anchor gives to two places would change both: the text is written as a whole."""
    sheet = Sheet("endpoints:\n  A: &a {url: x}\n  B: *a\nworkflows:\n  W: {endpoint: A}\n")
    sheet.change(set_endpoint("url")("y"))
    read = SourceText(sheet.text).value
    assert (read["endpoints"]["A"]["url"], read["endpoints"]["B"]["url"]) == ("y", "x")


texts = st.text(st.sampled_from("ab: #-'\"{}[]|>\né0."), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | texts
values = st.recursive(
    scalars, lambda some: st.lists(some, max_size=3) | st.dictionaries(texts, some, max_size=3), max_leaves=8
)
objects = st.dictionaries(texts, values, max_size=4)


@given(objects, objects, st.data())
def test_the_text_says_what_was_wanted(
    before: dict[str, Any], more: dict[str, Any], data: st.DataObject
) -> None:
    """Of any two values: with keys that are gone, come and changed, however YAML has to spell them."""
    sheet = Sheet(dump({"workflows": {"W": {"inputs": before}}}))
    after = copy.deepcopy(before) | more
    for key in data.draw(st.sets(st.sampled_from(sorted(after)))) if after else ():
        del after[key]
    sheet.change(lambda _, workflow: workflow.update(inputs=after))
    assert Sheet(sheet.text).workflow["inputs"] == after
