"""What the form writes into a formula is what it read from it, and what the text says the form shows."""

import pytest

from swath.ui.chain import set_ends, set_parameters
from swath.ui.edits import edit_filters, set_endpoint_lines, use_paginator, write_filters
from swath.ui.sheet import NEW, Sheet, leave_out_items, write_lines

FILTERS = [
    {"path": "results.created_at", "op": ">=", "value": "{{min_timestamp}}"},
    {"path": "results.tag", "op": "in", "value": ["a", "b"]},
    {"path": "results.id", "op": "exists"},
    {"path": "a", "op": "!=", "value": "two words"},
]


def test_filters_come_back_as_they_were() -> None:
    sheet = Sheet(NEW)
    sheet.change(edit_filters(write_filters(FILTERS)))
    assert Sheet(sheet.text).workflow["filters"] == FILTERS
    assert sheet.find_faults() == []


def test_what_is_no_filter_is_told() -> None:
    """A line with an unknown operator is not dropped in silence: the check of the formula names it."""
    sheet = Sheet(NEW)
    sheet.change(edit_filters("results.id almost 5"))
    assert "almost" in str(sheet.workflow["filters"])
    assert sheet.find_faults() != []


@pytest.mark.parametrize("query", [{"q": "a: b", "page": "{{page}}"}, {"ids": ["1", "2"], "empty": ""}])
def test_lines_come_back_as_they_were(query: dict[str, object]) -> None:
    sheet = Sheet(NEW)
    sheet.change(set_endpoint_lines("query")(write_lines(query)))
    assert Sheet(sheet.text).endpoint["query"] == query


def test_a_text_that_is_broken_keeps_what_it_said_before() -> None:
    """While somebody types, the form shows the last formula, and the fault is said with its line."""
    sheet = Sheet(NEW)
    before = sheet.endpoint["url"]
    sheet.set_text(NEW + "  broken: [\n")
    assert "Line" in sheet.find_faults()[0]
    assert sheet.endpoint["url"] == before


def test_a_paginator_brings_its_variable() -> None:
    """What no template uses yet becomes a parameter of the query; what is used stays where it is."""
    sheet = Sheet(NEW)
    sheet.change(use_paginator({"type": "cursor", "cursor_path": "next", "variable": "cursor"}))
    assert (sheet.endpoint["query"], sheet.find_faults()) == ({"cursor": "{{cursor}}"}, [])
    assert sheet.endpoint["variables"] == {"user_id": {}, "cursor": {"default": ""}}
    before = sheet.endpoint["query"]
    sheet.change(use_paginator({"type": "offset", "variable": "cursor"}))
    assert sheet.endpoint["query"] == before


def test_long_collections_are_left_out_of_the_text() -> None:
    items = "".join(f"    - '{number}'\n" for number in range(100))
    text = f"{NEW}collections:\n  People:\n{items}proxies: {{}}\n"
    assert leave_out_items(text) == NEW + "proxies: {}\n"
    assert leave_out_items(NEW + "collections:\n  Few: [a]\n").endswith("Few: [a]\n")


def test_a_chain_says_no_more_than_it_must() -> None:
    """All ends, and all parameters that are no lists, are what a formula means that says nothing."""
    sheet = Sheet(NEW)
    sheet.change(set_ends(["succeeded"]))
    sheet.change(set_parameters(["since"]))
    assert Sheet(sheet.text).workflow["chain"] == {"after": ["succeeded"], "parameters": ["since"]}
    sheet.change(set_ends([]))
    sheet.change(set_parameters([]))
    assert Sheet(sheet.text).workflow["chain"] == {"after": []}
    sheet.change(set_ends(["partially_failed", "succeeded"]))
    assert Sheet(sheet.text).value == Sheet(NEW).value


def test_secrets_of_all_endpoints_are_asked_for() -> None:
    more = "  Another:\n    url: https://api.example.com\n    headers: {X-Key: '{{key}}'}\n"
    sheet = Sheet(NEW.replace("workflows:", more + "    variables: {key: {secret: true}}\nworkflows:"))
    assert (sheet.secrets, sheet.find_faults()) == (["key"], [])


TWO = """workflows: {First: {endpoint: E}, Second: {endpoint: F}}
endpoints: {E: {url: e}, F: {url: f}}
"""


def test_a_sheet_is_over_the_workflow_that_it_is_named_for() -> None:
    """A formula holds those whose rows one takes, too, and these come first; a new name changes nothing."""
    sheet = Sheet(TWO, "Second")
    assert (sheet.name, sheet.endpoint) == ("Second", {"url": "f"})
    sheet.set_text(TWO.replace("Second", "Secon"))
    assert (sheet.name, sheet.endpoint) == ("Secon", {"url": "f"})
    sheet.rename("Third")
    assert list(sheet.value["workflows"]) == ["First", "Third"]
    sheet.set_text("workflows: {}")
    assert (sheet.workflow, sheet.name) == ({}, "My workflow")


def test_a_new_workflow_and_its_endpoint_are_called_alike() -> None:
    """So that two do not share an endpoint by chance; the endpoint of one that is kept keeps its name."""
    new, kept = Sheet(NEW), Sheet(NEW, "My workflow")
    for sheet in (new, kept):
        sheet.rename("Orders")
    assert (list(new.value["endpoints"]), new.workflow) == (["Orders"], {"endpoint": "Orders"})
    assert new.text == NEW.replace("My workflow", "Orders")
    assert (list(kept.value["endpoints"]), kept.name) == (["My workflow"], "Orders")
