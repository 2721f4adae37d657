"""Segments that were written and never recorded: a crash came between. Nothing refers to them."""

import structlog

from swath.errors import SwathError
from swath.store import shards
from swath.store.database import Database
from swath.store.objects import Objects

log = structlog.get_logger()


async def collect_orphans(database: Database, objects: Objects, execution_id: str) -> None:
    """Remove an ended execution's segments that no checkpoint names; none is made any more.

    What goes wrong here is no reason to call the execution anything but ended.
    """
    try:
        written = set(await objects.names(f"segments/{execution_id}/"))
        orphans = written - await database.read(shards.find_segments, execution_id)
        await objects.delete(sorted(orphans))
    except SwathError as error:
        log.warning("orphans_left", execution=execution_id, reason=str(error))
