"""Where a variable's values come from: what the form writes is a formula, and what it read before."""

from typing import Any

import pytest

from swath.ui import sources
from swath.ui.edits import set_endpoint
from swath.ui.sheet import NEW, Sheet

OTHER = "  People: {endpoint: My workflow}\n"


def choose(*steps: tuple[str, Any]) -> Sheet:
    """Choose a source for the variable `user_id`, then set what more is said of it."""
    sheet = Sheet(NEW + OTHER)
    for field, value in steps:
        if field == "source":
            sheet.change(lambda _, workflow, to=value: sources.choose(workflow, "user_id", to))
        elif field == "batch":
            sheet.change(lambda _, workflow, to=value: sources.set_batch(workflow, "user_id", to))
        else:
            sheet.change(lambda _, workflow, f=field, to=value: _set(workflow, f, to))
    assert Sheet(sheet.text).value == sheet.value
    return sheet


def _set(workflow: dict[str, Any], field: str, value: Any) -> None:
    sources.set_field(workflow, "user_id", field, value, is_number=isinstance(value, int))


CHOICES: dict[str, tuple[list[tuple[str, Any]], dict[str, Any]]] = {
    "a collection": (
        [("source", "collection:Users"), ("source_collection_json_key", "id"), ("batch", 50)],
        {
            "mappings": [
                {
                    "target_variable_name": "user_id",
                    "source_collection": "Users",
                    "source_collection_json_key": "id",
                }
            ],
            "batches": {"user_id": {"size": 50}},
        },
    ),
    "rows": (
        [("source", "workflow:People"), ("column", "id")],
        {
            "mappings": [
                {"target_variable_name": "user_id", "from_result": {"workflow": "People", "column": "id"}}
            ]
        },
    ),
    "a range": (
        [("source", "collection:Users"), ("source", "range"), ("last", 500), ("step", 5), ("step", None)],
        {"ranges": [{"variable": "user_id", "first": 1, "last": 500}]},
    ),
    "windows": (
        [("source", "windows"), ("step", "1 week")],
        {
            "date_windows": [
                {"from_variable": "user_id", "first": "today - 30 days", "last": "today", "step": "1 week"}
            ]
        },
    ),
    "nothing": ([("source", "range"), ("batch", 5), ("source", "")], {}),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_chosen_source_is_written_and_read(name: str) -> None:
    steps, written = CHOICES[name]
    sheet = choose(*steps)
    assert {key: part for key, part in sheet.workflow.items() if key != "endpoint"} == written
    chosen = [value for field, value in steps if field == "source"][-1]
    assert sources.find(Sheet(sheet.text).workflow, "user_id")[0] == chosen
    if name != "a collection":  # the collection is not in this text
        assert sheet.find_faults() == []


def test_the_end_of_a_window_is_a_variable_too() -> None:
    sheet = choose(("source", "windows"), ("until_variable", "until"))
    assert sources.find(sheet.workflow, "until")[0] == sources.UNTIL


def test_a_variable_that_nothing_uses_any_more_is_forgotten() -> None:
    """But not where something is said of it: a source, a default."""
    sheet = Sheet(NEW)
    sheet.change(sources.tidy(set_endpoint("url")("https://api.example.com/users")))
    assert (sheet.endpoint["variables"], sheet.find_faults()) == ({}, [])
    sheet = choose(("source", "range"))
    sheet.change(sources.tidy(set_endpoint("url")("https://api.example.com/users")))
    assert "user_id" in sheet.endpoint["variables"]
