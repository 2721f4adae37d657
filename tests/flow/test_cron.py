"""When a cron expression is due, also where clocks are changed."""

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from swath.errors import InvalidInput
from swath.flow.cron import Cron


def due(expression: str, zone: str, start: str, count: int = 3) -> list[str]:
    """The next times as the clocks of the zone show them."""
    moment = round(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp() * 1e3)
    times = islice(Cron(expression, zone).following(moment), count)
    return [datetime.fromtimestamp(each / 1e3, ZoneInfo(zone)).strftime("%d %H:%M %z") for each in times]


def test_times_are_those_of_the_zone() -> None:
    assert due("30 8 * * 1-5", "America/New_York", "2026-01-02T12:00") == [
        "02 08:30 -0500",
        "05 08:30 -0500",
        "06 08:30 -0500",
    ]
    assert due("@daily", "UTC", "2026-01-02T00:00") == ["03 00:00 +0000", "04 00:00 +0000", "05 00:00 +0000"]


def test_an_hour_that_is_skipped_or_repeated() -> None:
    """What would be due in a skipped hour is due right after it, and in a repeated one it is due once."""
    spring = due("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00")
    assert spring == ["29 03:00 +0200", "30 02:30 +0200", "31 02:30 +0200"]
    autumn = due("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00")
    assert autumn == ["25 02:30 +0200", "26 02:30 +0100", "27 02:30 +0100"]


@pytest.mark.parametrize(
    ("expression", "zone", "field"),
    [
        ("", "UTC", "cron"),
        ("* * * *", "UTC", "cron"),
        ("* * * * * *", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("0 0 30 2 *", "UTC", "cron"),
        ("@often", "UTC", "cron"),
        ("* * * * *", "Mars/Olympus", "timezone"),
        ("* * * * *", "", "timezone"),
        ("* * * * *", "../../etc/passwd", "timezone"),
    ],
)
def test_what_is_none_is_said(expression: str, zone: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Cron(expression, zone)
    assert [name for name, _ in refused.value.fields] == [field]
