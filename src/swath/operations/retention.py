"""Remove what was kept long enough, and executions that their owners want gone."""

import asyncio

import structlog

from swath.engine.courier import write_payload
from swath.engine.times import now_ms
from swath.errors import Conflict, Unavailable
from swath.flow.execution import TERMINAL
from swath.operations import collections
from swath.operations.context import Context, User
from swath.operations.executions import own
from swath.operations.orphans import sweep_orphans
from swath.operations.webhooks import tell
from swath.store import retention, webhooks
from swath.store.database import Connection

log = structlog.get_logger()

DAY = 86_400_000
#: Milliseconds between two sweeps, over all processes, and seconds between looks whether one is due.
EVERY = 3_600_000
LOOK = 60.0
#: Milliseconds for which objects stay that nothing refers to any more: somebody may be reading them.
GRACE = 3_600_000


async def keep_tidy(context: Context) -> None:
    """Sweep whenever that is due and no other process does, until cancelled."""
    while True:
        await asyncio.sleep(LOOK)
        try:
            if await context.database.write(retention.claim, "retention", now_ms(), EVERY):
                await sweep(context, now_ms())
        except Unavailable as outage:
            log.warning("sweep_put_off", reason=str(outage))
        except Exception:
            log.exception("sweep_failed")


async def sweep(context: Context, now: int) -> None:
    """Remove all that was kept long enough by `now`; what is left over is found by the next sweep."""
    settings = context.settings
    if settings.keep_days:
        await _sweep_archives(context, now - round(settings.keep_days * DAY), now)
    if settings.keep_files_days:
        await _sweep_executions(context, now - round(settings.keep_files_days * DAY), now)
    await context.database.write(retention.remove_snapshots, now)
    await collections.sweep(context)
    await _sweep_objects(context, now - GRACE)
    if await context.database.write(retention.claim, "orphans", now, DAY):
        await sweep_orphans(context, now)


async def _sweep_archives(context: Context, before: int, now: int) -> None:
    """Remove archives; those of retries first, after which their parents' are found."""
    while found := await context.database.read(retention.find_stale, before):
        for execution_id in found:
            await context.database.write(retention.remove_archive, execution_id, now)


async def _sweep_executions(context: Context, before: int, now: int) -> None:
    public_url = context.settings.public_url
    while found := await context.database.read(retention.find_old, before):
        removed = [await context.database.write(_forget, public_url, each, now) for each in found]
        if not any(removed):
            return


async def _sweep_objects(context: Context, before: int) -> None:
    """Remove what was given up before a time, with what the durable engine keeps of an execution."""
    while found := await context.database.read(retention.find_removals, before):
        for prefix in found:
            kind, _, execution_id = prefix.partition("/")
            if kind == retention.ENGINE:
                await context.engine.forget(execution_id)
            else:
                names = await context.objects.names(prefix)
                await context.objects.delete(names or [prefix] if "." in prefix else names)
            await context.database.write(retention.end_removal, prefix)


async def remove(context: Context, user: User, execution_id: str) -> None:
    """Remove an ended execution with all that came of it. Raises Conflict where it goes on or is needed."""
    await context.database.write(_remove, context.settings.public_url, user, execution_id)


def _remove(connection: Connection, public_url: str, user: User, execution_id: str) -> None:
    row = own(connection, user, execution_id)
    if row.status not in TERMINAL:
        raise Conflict("status", f"This execution is {row.status}; cancel it and wait for its end.")
    if not _forget(connection, public_url, execution_id, now_ms()):
        raise Conflict("id", retention.find_need(connection, execution_id) or "It is gone already.")


def _forget(connection: Connection, public_url: str, execution_id: str, now: int) -> bool:
    """Forget an ended execution, but write down first what webhooks have yet to be told of it."""
    for undelivered in webhooks.find_undelivered(connection, execution_id):
        write_payload(connection, tell(public_url), undelivered)
    return retention.remove(connection, execution_id, now)
