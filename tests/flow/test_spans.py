"""Ranges of numbers and windows of dates: what they generate, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from swath.errors import InvalidInput
from swath.flow.checks import check_workflow
from swath.flow.definition import Batch, DateWindows, Endpoint, NumberRange, Workflow
from swath.flow.spans import check_windows, lay_windows

NOW = datetime(2024, 3, 15, 12, 30, 45, 678, tzinfo=UTC)


def windows(first: str, last: str, **more: Any) -> list[tuple[Any, Any]]:
    rule = DateWindows(from_variable="a", until_variable="b", first=first, last=last, **more)
    return [(window["from"], window["until"]) for window in lay_windows(rule, NOW)]


def test_months_end_where_they_end() -> None:
    """From the 31st on, each month by its own last day, and the last window where all do."""
    assert windows("2023-12-31", "2024-03-31", step="1 month") == [
        ("2023-12-31", "2024-01-31"),
        ("2024-01-31", "2024-02-29"),
        ("2024-02-29", "2024-03-31"),
    ]
    assert windows("2024-02-29", "2026-01-01", step="1 year") == [
        ("2024-02-29", "2025-02-28"),
        ("2025-02-28", "2026-01-01"),
    ]


def test_dates_are_relative_to_the_trigger() -> None:
    """The last days; the last hours, to the second."""
    assert windows("today - 2 days", "today") == [("2024-03-13", "2024-03-14"), ("2024-03-14", "2024-03-15")]
    assert windows("now - 2 hours", "now", step="1 hour", format="%H:%M:%S") == [
        ("10:30:45", "11:30:45"),
        ("11:30:45", "12:30:45"),
    ]


def test_ends_are_exclusive_unless_told() -> None:
    """Inclusive ends are the last day of a window, or its last second; times may be epochs."""
    assert windows("2024-01-01", "2024-01-15", step="1 week", inclusive=True) == [
        ("2024-01-01", "2024-01-07"),
        ("2024-01-08", "2024-01-14"),
    ]
    assert windows("1970-01-02", "1970-01-03", format="epoch") == [(86_400, 172_800)]
    assert windows("1970-01-02", "1970-01-03", format="epoch_ms", inclusive=True) == [
        (86_400_000, 172_799_000)
    ]


def test_one_moment_is_one_window() -> None:
    """From a day to itself there is that day."""
    assert windows("2024-01-01", "2024-01-01") == [("2024-01-01", "2024-01-01")]
    assert windows("2024-01-01", "2024-01-01", inclusive=True) == [("2024-01-01", "2024-01-01")]


@pytest.mark.parametrize(
    ("step", "format", "told"),
    [
        (
            "6 hours",
            "%Y-%m-%d",
            "'%Y-%m-%d' does not tell windows of 6 hours apart: write %Y-%m-%dT%H:%M:%SZ.",
        ),
        ("1 day", "%Y-%m", "'%Y-%m' does not tell windows of 1 day apart: write a finer one, or %Y-%m-%d."),
        ("1 month", "%d", "'%d' does not tell windows of 1 month apart: write a finer one, or %Y-%m-%d."),
    ],
)
def test_windows_that_would_be_written_alike_are_refused(step: str, format: str, told: str) -> None:
    """Their requests would be the same, and all but the first for nothing."""
    rule = DateWindows(from_variable="a", first="2024-01-01", last="2024-02-01", step=step, format=format)
    with pytest.raises(InvalidInput) as refused:
        check_windows(rule)
    assert refused.value.fields == (("format", told),)
    check_windows(replace(rule, format="epoch"))


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"first": "yesterday"}, "first", "is no date"),
        ({"step": "fortnight"}, "step", "is no length of time: write 1 day, 6 hours or 3 months."),
        ({"step": "0 days"}, "step", "is no length of time"),
        ({"last": "2023-01-01"}, "last", "Is before the first"),
        ({"first": "0001-01-01", "last": "today - 9000 years"}, "last", "Is beyond the calendar."),
        ({"first": "1900-01-01", "step": "1 second"}, "step", "Makes more than 100,000 windows."),
    ],
)
def test_rules_that_make_no_windows_are_refused(change: dict[str, str], field: str, message: str) -> None:
    """When the workflow is made, and not when it is executed."""
    given: dict[str, Any] = {"from_variable": "a", "first": "2024-01-01", "last": "2024-02-01"} | change
    with pytest.raises(InvalidInput) as caught:
        check_windows(DateWindows(**given))
    assert caught.value.fields[0][0] == field
    assert message in caught.value.fields[0][1]


def test_a_workflow_says_what_is_wrong_with_its_lists() -> None:
    """Unknown variables, ones that are fed twice, ranges without an end."""
    endpoint = Endpoint(name="e", url="https://api.example/{{a}}")
    workflow = Workflow(
        name="w",
        endpoint_id="e",
        ranges=(
            NumberRange(variable="a", first=1, last=0),
            NumberRange(variable="a", first=1, last=2, step=0),
        ),
        date_windows=(DateWindows(from_variable="b", first="2024-01-01"),),
        batches={"c": Batch(size=0)},
    )
    assert dict(check_workflow(workflow, endpoint)) == {
        "ranges[1].variable": "The variable 'a' is mapped twice.",
        "date_windows[0].from_variable": "The endpoint has no variable 'b'. It has: a.",
        "ranges[0].last": "Is not reached from 1 by steps of 1.",
        "ranges[1].step": "Must not be 0.",
        "batches.c": "The endpoint has no variable 'c'. It has: a.",
        "batches.c.size": "Must be from 1 to 10000.",
    }
