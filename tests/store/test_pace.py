"""How fast an execution went: sums by second, and over longer spans."""

from swath.store import pace
from swath.store.database import Database


def counts(requests: int, errors: int = 0) -> dict[str, int]:
    return {"requests": requests, "rows": 10 * requests, "refused": 0, "errors": errors}


async def test_seconds_add_up(database: Database) -> None:
    """Several workers' checkpoints of one second are one line; wider spans are their sums."""
    for second, requests in ((100, 3), (100, 4), (101, 5), (207, 6)):
        await database.write(pace.add, "x", second, counts(requests, errors=1))
    await database.write(pace.add, "y", 100, counts(99))
    by_second = await database.read(pace.find, "x", 1)
    assert [tuple(row) for row in by_second] == [(100, 7, 70, 0, 2), (101, 5, 50, 0, 1), (207, 6, 60, 0, 1)]
    by_ten = await database.read(pace.find, "x", 10)
    assert [(row.begin, row.requests) for row in by_ten] == [(100, 12), (200, 6)]
    assert await database.read(pace.bounds, "x") == (100, 207)
    assert await database.read(pace.bounds, "z") is None
