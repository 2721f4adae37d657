"""How fast an execution went, over its time."""

from swath.flow.definition import Json
from swath.operations.context import Context, User
from swath.operations.executions import iso, own
from swath.store import pace
from swath.store.database import Connection

#: Points that are told at most; widths in seconds that a point may stand for.
MOST = 600
WIDTHS = (1, 2, 5, 10, 30, 60, 300, 600, 3600, 21_600, 86_400)


async def show(context: Context, user: User, execution_id: str) -> dict[str, Json]:
    """Return counts over spans of `seconds` each, oldest first; spans without any are left out."""
    return await context.database.read(_show, user, execution_id)


def _show(connection: Connection, user: User, execution_id: str) -> dict[str, Json]:
    own(connection, user, execution_id)
    first, last = pace.bounds(connection, execution_id) or (0, 0)
    width = next((each for each in WIDTHS if (last - first) / each < MOST), WIDTHS[-1])
    points = [
        {"at": iso(int(row.begin) * 1000), **{name: int(row._mapping[name]) for name in pace.COUNTS}}
        for row in pace.find(connection, execution_id, width)
    ]
    return {"seconds": width, "points": points}
