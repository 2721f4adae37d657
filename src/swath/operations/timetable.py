"""Triggers what schedules say is due: once, however many processes look, and however long none did."""

import asyncio
from typing import Any

import structlog

from swath.errors import FieldError, Unavailable
from swath.flow.cron import Cron
from swath.flow.execution import TERMINAL
from swath.operations import schedules, triggers
from swath.operations.context import Context, User
from swath.store import executions
from swath.store import schedules as store
from swath.store.database import Connection, Row

log = structlog.get_logger()

#: Seconds between two looks.
EVERY = 1.0


async def keep_time(context: Context) -> None:
    """Run what is due, for as long as the process lives."""
    while True:
        try:
            await context.engine.outages.outlast(lambda: run_due(context))
        except Exception:
            log.exception("timetable_failed")
        await asyncio.sleep(EVERY)


async def run_due(context: Context) -> None:
    """Run all schedules that are due now; one that cannot be run says why, and waits for its next time."""
    for row in await context.database.read(store.find_due, _now(context)):
        try:
            await _run(context, row)
        except Unavailable:
            raise  # it stays due
        except FieldError as error:
            await context.database.write(_fail, row, _next(context, row), str(error))
        except Exception as error:
            log.exception("schedule_failed", schedule=row.id)
            reason = f"Something went wrong on our side: {type(error).__name__}."
            await context.database.write(_fail, row, _next(context, row), reason)


async def _run(context: Context, row: Row[Any]) -> None:
    user = User(row.owner_id, row.user, row.admin)
    asked = schedules.read(context, row).execution
    values = await triggers.prepare(context, user, row.workflow_id, asked)
    values["name"] = values["name"] or row.name or None
    if await context.database.write(_take, row, _now(context), _next(context, row), values):
        context.engine.wake()


def _take(connection: Connection, row: Row[Any], now: int, following: int, values: dict[str, Any]) -> bool:
    """Take the run and trigger it, in one transaction; tells whether an execution came of it.

    Missed runs are one run: the next time is reckoned from now, not from when this one was due.
    """
    if _is_busy(connection, row.last_execution_id):
        if row.overlap == "skip":
            outcome = {"last_outcome": "skipped", "last_error": "The execution before was still under way."}
            store.move_on(connection, row.id, row.next_run_at, {"next_run_at": following, **outcome})
        return False  # one that is to wait stays due
    ran: dict[str, Any] = {"next_run_at": following, "last_run_at": now, "last_execution_id": values["id"]}
    told = {"last_outcome": "triggered", "last_error": None}
    if not store.move_on(connection, row.id, row.next_run_at, ran | told):
        return False
    triggers.insert(connection, values)
    return True


def _is_busy(connection: Connection, execution_id: str | None) -> bool:
    if execution_id is None:
        return False
    row = executions.find(connection, execution_id)
    return row is not None and row.status not in TERMINAL


def _fail(connection: Connection, row: Row[Any], following: int, reason: str) -> None:
    outcome = {"next_run_at": following, "last_outcome": "failed", "last_error": reason}
    store.move_on(connection, row.id, row.next_run_at, outcome)


def _now(context: Context) -> int:
    return round(context.clock.epoch() * 1e3)


def _next(context: Context, row: Row[Any]) -> int:
    return Cron(row.cron, row.timezone).after(_now(context))
