"""What the servers of these tests are filled with: the readings of some weather stations.

Everything is computed from its number, so every server and every run has the same. The stations' names are
what a careless client breaks its URLs on, their numbers of readings are where paging goes wrong: none, one,
a page exactly, whole pages exactly, and some more.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any, Final

#: Rows that a page has in all of these tests, unless one says otherwise.
PAGE: Final = 20

STATIONS: Final = {
    "Zürich HB": 63,
    "a&b=c": 2 * PAGE,
    "100% north + south": PAGE,
    "Nobody's": 0,
    "東京 駅": 1,
    'the "last" #1?': 97,
    "{{station}}; DROP TABLE readings": 3 * PAGE + 1,
}

NOTES: Final = (
    None,
    "clear",
    "",
    'he said "rain", then: sun',
    "two\r\nlines",
    "=SUM(1,2)",
    " space, before; and after\t",
    "雨 ☔ 🙂",
    "null",
)


def everything() -> list[dict[str, Any]]:
    """Return all readings; those of the stations stand side by side, as they would have come in."""
    places = sorted(
        (number * 1_000 // max(count, 1), station)
        for station, count in STATIONS.items()
        for number in range(count)
    )
    return [reading(number + 1, station) for number, (_, station) in enumerate(places)]


def readings(station: str) -> list[dict[str, Any]]:
    """Return a station's readings by their id."""
    return [row for row in everything() if row["station"] == station]


def reading(number: int, station: str) -> dict[str, Any]:
    """Return one reading. Many have the same level or none, and several the same time."""
    bits = number * 2_654_435_761 % 2**32
    return {
        "id": number,
        "station": station,
        "taken_at": f"2024-{1 + number // 24 % 12:02}-{1 + number // 3 % 28:02}T{number // 7 % 24:02}:00:00Z",
        "level": None if bits % 5 == 0 else bits // 7 % 9 - 4,
        "value": bits % 200_001 / 1000 - 100,
        "valid": bits % 3 > 0,
        "note": NOTES[bits % len(NOTES)],
        "tags": [f"tag {n}" for n in range(bits // 11 % 3)],
        "place": {"lat": bits % 18_001 / 100 - 90, "name": {"de": "Köln", "en": None}},
    }


def fill(database: Path) -> None:
    """Write all readings into a new SQLite database; lists and objects as JSON."""
    rows = [
        tuple(json.dumps(value) if isinstance(value, dict | list) else value for value in row.values())
        for row in everything()
    ]
    with sqlite3.connect(database) as connection:
        connection.execute(
            "CREATE TABLE readings (id INTEGER PRIMARY KEY, station TEXT, taken_at TEXT, level INTEGER,"
            " value REAL, valid BOOLEAN, note TEXT, tags TEXT, place TEXT)"
        )
        connection.executemany(f"INSERT INTO readings VALUES ({','.join('?' * len(rows[0]))})", rows)
    connection.close()
