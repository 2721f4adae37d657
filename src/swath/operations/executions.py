"""Trigger executions, look at them, and stop them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from swath.engine.extract import manifest_name
from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.definition import Json
from swath.flow.execution import STATUS_GROUPS, TERMINAL, Status
from swath.operations.context import Context, User
from swath.operations.listing import LAST_POSITION, read_number
from swath.store import admission, chains, executions, ledger, limits, shards, webhooks
from swath.store.admission import Room
from swath.store.database import Connection, Row

ACTIVE = STATUS_GROUPS["active"]
#: Events that are told at a time, and seconds between two looks for more.
FOLLOWED = 100
FOLLOW_EVERY = 0.5


ExecutionView = dict[str, Any]


async def list_for(
    context: Context,
    user: User,
    *,
    workflow_id: str | None,
    group: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[ExecutionView], str | None]:
    """Return executions, newest first, and the cursor of the next page if there is one."""
    if group is not None and group not in STATUS_GROUPS and group not in set(Status):
        raise InvalidInput("status", f"Must be one of: {', '.join(STATUS_GROUPS)}.")
    statuses = None if group is None else STATUS_GROUPS.get(group) or {Status(group)}
    rows = await context.database.read(
        executions.find_some,
        user.id,
        workflow_id=workflow_id,
        statuses=statuses,
        before=read_number(cursor),
        limit=limit + 1,
    )
    views = await context.database.read(_view_all, rows[:limit], _room(context))
    return views, str(rows[limit - 1].number) if len(rows) > limit else None


async def show(context: Context, user: User, execution_id: str) -> ExecutionView:
    """Return one execution. Raises NotFound where it is unknown or another user's."""
    return await context.database.read(_show, user, execution_id, _room(context))


def _show(connection: Connection, user: User, execution_id: str, room: Room) -> ExecutionView:
    return _view_all(connection, [own(connection, user, execution_id)], room)[0]


def _room(context: Context) -> Room:
    return Room(context.settings.max_running, context.settings.max_running_per_user)


def describe(connection: Connection, execution_id: str, public_url: str) -> ExecutionView:
    """Return an execution as its owner is told of it where nobody asked; `public_url` may be empty."""
    row = executions.find(connection, execution_id)
    assert row is not None  # before it is removed, it is told of for the last time
    return with_addresses(_view_all(connection, [row], Room())[0], public_url)


def with_addresses(view: ExecutionView, public_url: str) -> ExecutionView:
    """Return an execution with its results' addresses in full."""
    results = [{**file, "url": f"{public_url}{file['url']}"} for file in view["results"]]
    return {**view, "results": results}


def own(connection: Connection, user: User, execution_id: str) -> Row[Any]:
    """Return the row of a user's execution, without its definition. Raises NotFound."""
    return _known(executions.find(connection, execution_id, user.id))


def own_whole(connection: Connection, user: User, execution_id: str) -> Row[Any]:
    """Return the row of a user's execution. Raises NotFound."""
    return _known(executions.find_whole(connection, execution_id, user.id))


def _known(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise NotFound("id", "No execution of yours has this id.")
    return row


def own_archive(connection: Connection, user: User, execution_id: str) -> Row[Any]:
    """Return the row of a user's execution whose stored answers are there. Raises NotFound, Conflict."""
    row = own_whole(connection, user, execution_id)
    check_archive(row)
    return row


def check_archive(row: Row[Any]) -> None:
    """Raise Conflict for an execution whose stored answers were kept long enough."""
    if row.archive_removed_at is not None:
        raise Conflict("id", "Its stored answers were removed when their time was over; its files remain.")


def _view_all(connection: Connection, rows: Sequence[Row[Any]], room: Room) -> list[ExecutionView]:
    found = executions.find_results(connection, [row.id for row in rows if row.completed_at])
    files: dict[str, list[dict[str, Any]]] = {}
    for file in found:
        files.setdefault(file.execution_id, []).append(_view_file(file))
    started = chains.find_started(connection, [row.id for row in rows])
    return [
        {**_view(connection, row, files.get(row.id, []), room), "started": started.get(row.id, [])}
        for row in rows
    ]


def _view(connection: Connection, row: Row[Any], files: list[dict[str, Any]], room: Room) -> ExecutionView:
    return {
        "id": row.id,
        "workflow_id": row.workflow_id,
        "parent_id": row.parent_id,
        "source_execution_id": row.source_id,
        "triggered_by": row.triggered_by,
        "execution_parameters": row.parameters,
        "created_at": iso(row.created_at),
        "completed_at": iso(row.completed_at),
        "archive_removed_at": iso(row.archive_removed_at),
        "results": files,
        "status": row.status,
        "waiting_for": _waiting_for(connection, row, room),
        "priority": row.priority,
        "error": row.error,
        "warnings": json.loads(row.warnings),
        "execution_name": row.name,
        "started_at": iso(row.started_at),
        "truncated": row.truncated,
        "truncated_by": row.truncated_by,
        "limits": {
            "requests": row.maximum_requests_count,
            "rows": row.maximum_rows,
            "bytes": row.maximum_bytes,
            "seconds": None if row.maximum_ms is None else row.maximum_ms / 1000,
        },
        "counters": _counters(connection, row),
        "progress": row.items_ended / row.items_total if row.items_total else float(not is_undrawn(row)),
        "seconds_left": _estimate(row),
    }


def _waiting_for(connection: Connection, row: Row[Any], room: Room) -> str | None:
    """Say what keeps an execution from starting or going on; None where nothing does."""
    if row.waiting is not None and row.status not in TERMINAL:
        return str(row.waiting)
    if row.status != Status.QUEUED or row.admitted_at is not None or room == Room():
        return None
    running = admission.count_running(connection)
    if room.admits(running, row.owner_id):
        return None
    if room.is_full(running):
        return f"{room.of_all} executions run, as many as may at a time (SWATH_MAX_RUNNING)."
    return f"{room.per_user} of yours run, as many as may at a time (SWATH_MAX_RUNNING_PER_USER)."


def _counters(connection: Connection, row: Row[Any]) -> dict[str, Json]:
    told = executions.read_tallies(connection, row.id)
    return {
        "items": row.items_total,
        "items_ended": row.items_ended,
        "items_kept": row.items_kept,
        "pages": row.pages,
        "requests": row.attempts,
        "attempts": row.attempts,
        "attempts_unknown": row.attempts_unknown,
        "rows": row.rows,
        "bytes": row.bytes,
        "statuses": told["status"],
        "stop_reasons": told["stop"],
    }


def is_undrawn(row: Row[Any]) -> bool:
    """Tell whether it is not known yet how many items an execution has: its rows are still to be read."""
    return bool(row.source_id and not row.started_at and not row.completed_at)


def _estimate(row: Row[Any]) -> float | None:
    """Guess the seconds left from the pace so far; None while there is no pace, or no need."""
    own = row.items_ended - row.items_kept
    if row.completed_at or not row.started_at or not own:
        return None
    elapsed = (now_ms() - row.started_at) / 1e3
    return float(round(elapsed * (row.items_total - row.items_ended) / own, 1))


def _view_file(file: Row[Any]) -> dict[str, Any]:
    return {
        "id": file.id,
        "revision": file.revision,
        "url": f"/results/{file.secret}/{file.name}",
        "name": file.name,
        "collection": file.collection,
        "format": file.format,
        "rows": file.rows,
        "columns": len(json.loads(file.columns)),
        "bytes": file.bytes,
        "sha256": file.sha256,
    }


def iso(milliseconds: int | None) -> str | None:
    """Return a time as the API writes it: UTC, milliseconds, `Z`."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


# --- control


async def cancel(context: Context, user: User, execution_id: str) -> ExecutionView:
    """Stop an execution; what was fetched so far is combined. One that has ended stays as it is."""
    await _steer(context, user, execution_id, ACTIVE - {Status.STOPPING}, Status.STOPPING, "cancelled")
    return await show(context, user, execution_id)


async def pause(context: Context, user: User, execution_id: str) -> ExecutionView:
    """Hold an execution that is queued or runs: nothing more is sent until it is resumed."""
    allowed = frozenset({Status.QUEUED, Status.RUNNING})
    if not await _steer(context, user, execution_id, allowed, Status.PAUSED, "paused"):
        await _refuse(context, user, execution_id, {Status.PAUSED}, "Only what goes on can be paused")
    return await show(context, user, execution_id)


async def resume(context: Context, user: User, execution_id: str) -> ExecutionView:
    """Let a paused execution go on; one that had not started is queued again."""
    allowed = frozenset({Status.PAUSED})
    if not await _steer(context, user, execution_id, allowed, Status.RUNNING, "resumed"):
        goes_on = {Status.QUEUED, Status.RUNNING}
        await _refuse(context, user, execution_id, goes_on, "Only a paused execution can be resumed")
    return await show(context, user, execution_id)


async def cancel_of_workflow(context: Context, user: User, workflow_id: str) -> None:
    """Cancel all executions of a workflow that have not ended."""
    rows = await context.database.read(
        executions.find_some, user.id, workflow_id=workflow_id, statuses=ACTIVE, before=None, limit=100_000
    )
    for row in rows:
        await cancel(context, user, row.id)


async def _steer(
    context: Context, user: User, execution_id: str, allowed: frozenset[Status], to: Status, event: str
) -> bool:
    changed = await context.database.write(_move, user, execution_id, allowed, to, event)
    context.engine.signal(execution_id)
    if changed:
        context.engine.wake()  # it may not have been let in yet, or its place is free for another
    return changed


def _move(
    connection: Connection, user: User, execution_id: str, allowed: frozenset[Status], to: Status, event: str
) -> bool:
    row = own(connection, user, execution_id)
    if to == Status.PAUSED and row.status == Status.RUNNING and shards.is_all_fetched(connection, row):
        raise Conflict("status", "Nothing is left to hold: all is fetched, and its files are being made.")
    if to == Status.RUNNING and row.started_at is None:
        to = Status.QUEUED
    changed = executions.move(connection, execution_id, allowed, to)
    if changed:
        executions.forget_wait(connection, execution_id)
        now = now_ms()
        if to != Status.STOPPING:
            (limits.stop_clock if to == Status.PAUSED else limits.start_clock)(connection, execution_id, now)
        ledger.record_event(connection, execution_id, event, {"by": user.name}, now)
    if changed and to == Status.PAUSED:
        webhooks.notify(connection, execution_id, "execution.paused", now)
    return changed


async def _refuse(context: Context, user: User, execution_id: str, wanted: set[Status], message: str) -> None:
    """Raise Conflict, unless the execution is already as it was to become."""
    row = await context.database.read(own, user, execution_id)
    if row.status not in wanted:
        raise Conflict("status", f"{message}; this one is {row.status}.")


# --- what went wrong


async def failures(
    context: Context, user: User, execution_id: str, limit: int, cursor: str | None
) -> tuple[list[dict[str, Json]], str | None]:
    """Return the failed items, in order, and the cursor of the next page."""
    await context.database.read(own, user, execution_id)
    after = read_number(cursor, LAST_POSITION)
    rows = await context.database.read(
        ledger.find_failures, execution_id, -1 if after is None else after, limit + 1
    )
    views = [view_failure(row) for row in rows[:limit]]
    return views, str(rows[limit - 1].item) if len(rows) > limit else None


async def count_failures(context: Context, user: User, execution_id: str) -> list[dict[str, Json]]:
    """Return how many items failed by error code and last status, the most frequent first."""
    await context.database.read(own, user, execution_id)
    with context.database.stream() as stream:  # of a million it takes a while, in which others go on
        kinds = await stream.read(ledger.count_failures, execution_id)
    return [{"error_code": code, "last_status": status, "items": items} for code, status, items in kinds]


def view_failure(row: Row[Any]) -> dict[str, Json]:
    """Return a line of the ledger."""
    view = dict(row._mapping)
    del view["execution_id"]
    tries = [view_try(each) for each in json.loads(row.tries or "[]")]
    return view | {"inputs": json.loads(row.inputs), "tries": tries, "at": iso(row.at)}


def view_try(tried: Sequence[Any]) -> dict[str, Json]:
    """Return an attempt in vain as it is told."""
    exit, outcome, waited = tried
    return {"exit": exit, "outcome": outcome, "waited": waited}


async def events(
    context: Context, user: User, execution_id: str, limit: int, cursor: str | None
) -> tuple[list[dict[str, Json]], str | None]:
    """Return the events, oldest first, and the cursor of the next page."""
    await context.database.read(own, user, execution_id)
    after = read_number(cursor)
    rows = await context.database.read(ledger.find_events, execution_id, after or 0, limit + 1)
    views = [
        {"id": row.number, "at": iso(row.at), "kind": row.kind, "data": json.loads(row.data)}
        for row in rows[:limit]
    ]
    return views, str(rows[limit - 1].number) if len(rows) > limit else None


async def follow_events(
    context: Context, user: User, execution_id: str, cursor: str | None
) -> AsyncIterator[dict[str, Json]]:
    """Yield events as they come, until the execution has ended and all are told. Raises NotFound."""
    await show(context, user, execution_id)
    while True:
        ended = (await show(context, user, execution_id))["completed_at"] is not None
        found, _ = await events(context, user, execution_id, FOLLOWED, cursor)
        for event in found:
            yield event
            cursor = str(event["id"])
        if ended and len(found) < FOLLOWED:
            return
        await asyncio.sleep(0 if found else FOLLOW_EVERY)


async def manifest(context: Context, user: User, execution_id: str) -> dict[str, Json]:
    """Return what can be said about an ended execution's newest files. Raises Conflict where it has none."""
    row = await context.database.read(own, user, execution_id)
    if row.status not in TERMINAL:
        raise Conflict("id", "This execution has not ended; its manifest is written with its files.")
    revision = await context.database.read(executions.last_revision, execution_id)
    if revision is None:
        raise Conflict("id", "This execution has no files, and so no manifest; its error says why.")
    stored = await context.objects.get(manifest_name(row.id, revision))
    found: dict[str, Json] = msgspec.json.decode(stored)
    return found
