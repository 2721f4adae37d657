"""What becomes of a shard whose pages were recorded and are lost all the same."""

from collections import Counter

from sqlalchemy import Connection, and_, delete, func, select, update

from swath.flow.shard import ShardProgress
from swath.store.checkpoints import add_tallies
from swath.store.executions import add_to
from swath.store.ledger import forget_failures, record_event
from swath.store.schema import frames, shards


def reopen(connection: Connection, execution_id: str, segment: str, offset: int, now: int) -> int | None:
    """Begin a shard anew whose frame in a segment is lost; return its number, None where it has been.

    All of its items, for what the frame held nobody can tell any more. Their attempts stay spent.
    """
    lost = (frames.c.execution_id == execution_id, frames.c.object == segment, frames.c.offset == offset)
    number = connection.execute(select(frames.c.shard).where(*lost)).scalar()
    if number is None:
        return None
    whole = (frames.c.execution_id == execution_id, frames.c.shard == number)
    pages = connection.execute(select(func.sum(frames.c.pages)).where(*whole)).scalar()
    connection.execute(delete(frames).where(*whole))
    here = and_(shards.c.execution_id == execution_id, shards.c.number == number)
    row = connection.execute(select(shards).where(here)).one()
    fresh = {"progress": None, "parts": None, "mark": None, "fruitless": 0, "claim": shards.c.claim + 1}
    connection.execute(update(shards).where(here).values(fresh | {"state": "yielded"}))
    items = range(row.first, row.first + row._mapping["count"])
    forget_failures(connection, execution_id, items)
    ended = ShardProgress.decode(row.progress).reasons() if row.progress else Counter()
    add_tallies(connection, execution_id, {("stop", str(reason)): -n for reason, n in ended.items()})
    add_to(connection, execution_id, pages=-int(pages or 0), items_ended=-sum(ended.values()))
    told = {"segment": segment, "shard": number, "first_item": items.start, "items": len(items)}
    record_event(connection, execution_id, "segment_damaged", told, now)
    return int(number)
