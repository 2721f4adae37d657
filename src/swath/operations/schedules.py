"""Schedules: executions that are triggered by themselves, at the times of a cron expression."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal
from uuid import uuid4

import msgspec

from swath.engine.times import now_ms
from swath.errors import InvalidInput, NotFound
from swath.flow.cron import Cron
from swath.flow.definition import Json
from swath.flow.masking import MASK
from swath.operations import proxies, triggers, workflows
from swath.operations.context import Context, User
from swath.operations.executions import iso
from swath.operations.listing import Page, page_of, read_cursor
from swath.operations.triggers import Trigger
from swath.store import schedules
from swath.store.database import Connection, Row

Overlap = Literal["skip", "queue"]
#: Times that are told ahead.
UPCOMING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When which workflow is executed, and with what: `execution` is the body of `POST .../executions`."""

    name: str = ""
    workflow_id: str
    cron: str
    timezone: str = "UTC"
    execution: Trigger = field(default_factory=Trigger)
    #: What becomes of a run while the one before is under way: left out, or made when that has ended.
    overlap: Overlap = "skip"
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """A schedule as it is shown; secret parameters are masked. Times in milliseconds but for `upcoming`."""

    id: str
    name: str
    workflow_id: str
    cron: str
    timezone: str
    execution: dict[str, Json]
    overlap: str
    enabled: bool
    next_run_at: int | None
    upcoming: list[str]
    last_run_at: int | None
    last_execution_id: str | None
    last_outcome: str | None
    last_error: str | None
    created_at: int
    updated_at: int


async def create(context: Context, user: User, schedule: Schedule) -> ScheduleView:
    """Keep a new schedule. Raises InvalidInput, and NotFound for a workflow that is not the user's."""
    await _check(context, user, schedule)
    schedule_id = str(uuid4())
    keys = {"id": schedule_id, "owner_id": user.id, "created_at": now_ms()}
    await context.database.write(schedules.add, _values(context, schedule) | keys)
    return await show(context, user, schedule_id)


async def update(
    context: Context, user: User, schedule_id: str, revise: Callable[[Schedule], Schedule]
) -> ScheduleView:
    """Change a schedule to what `revise` makes of it; what was shown masked stands for what is stored.

    Its next time is reckoned anew from now.
    """
    row = await context.database.read(_own, user, schedule_id)
    old = read(context, row)
    shown = await _mask(context, user, old)
    new = _unmask(revise(shown), shown, old)
    await _check(context, user, new)
    await context.database.write(schedules.change, schedule_id, _values(context, new))
    return await show(context, user, schedule_id)


async def _check(context: Context, user: User, schedule: Schedule) -> None:
    """Raise for what could not be run as it stands."""
    Cron(schedule.cron, schedule.timezone)
    await workflows.show(context, user, schedule.workflow_id)
    try:
        await triggers.prepare(context, user, schedule.workflow_id, schedule.execution)
    except InvalidInput as error:
        placed = [(f"execution.{name}", message) for name, message in error.fields]
        raise InvalidInput(*placed[0], *placed[1:]) from None


def _values(context: Context, schedule: Schedule) -> dict[str, Any]:
    cron = Cron(schedule.cron, schedule.timezone)
    now = round(context.clock.epoch() * 1e3)
    return {
        "name": schedule.name,
        "workflow_id": schedule.workflow_id,
        "cron": schedule.cron.strip(),
        "timezone": schedule.timezone,
        # Sealed as a whole: parameters may be secret, now or once their variable is declared so.
        "execution": context.vault.seal(msgspec.json.encode(schedule.execution).decode()),
        "overlap": schedule.overlap,
        "enabled": schedule.enabled,
        "next_run_at": cron.after(now) if schedule.enabled else None,
        "updated_at": now_ms(),
    }


def read(context: Context, row: Row[Any]) -> Schedule:
    """Return what a row holds, its secrets in the clear."""
    return Schedule(
        name=row.name,
        workflow_id=row.workflow_id,
        cron=row.cron,
        timezone=row.timezone,
        execution=msgspec.json.decode(context.vault.open(row.execution), type=Trigger),
        overlap=row.overlap,
        enabled=row.enabled,
    )


async def _mask(context: Context, user: User, schedule: Schedule) -> Schedule:
    """Return a schedule as its owner is shown it."""
    _, endpoint = await workflows.load(context, user, schedule.workflow_id)
    secret = {name for name, variable in endpoint.variables.items() if variable.secret}
    asked = schedule.execution
    given = {
        name: MASK if name in secret else value for name, value in (asked.execution_parameters or {}).items()
    }
    proxy = asked.proxy and replace(
        asked.proxy, url=asked.proxy.url and proxies.mask_password(asked.proxy.url)
    )
    shown = replace(asked, execution_parameters=given or asked.execution_parameters, proxy=proxy)
    return replace(schedule, execution=shown)


def _unmask(new: Schedule, shown: Schedule, old: Schedule) -> Schedule:
    """Put what is stored where it still stands as it was shown."""
    asked, was = new.execution, old.execution
    known: Mapping[str, Json] = was.execution_parameters or {}
    given = {
        name: known[name] if value == MASK and name in known else value
        for name, value in (asked.execution_parameters or {}).items()
    }
    proxy = was.proxy if asked.proxy == shown.execution.proxy else asked.proxy
    kept = replace(asked, execution_parameters=given or asked.execution_parameters, proxy=proxy)
    return replace(new, execution=kept)


async def list_for(context: Context, user: User, *, limit: int, cursor: str | None) -> Page[ScheduleView]:
    """Return a user's schedules, newest first."""
    rows = await context.database.read(schedules.find_some, user.id, read_cursor(cursor), limit + 1)
    views = {row.id: await _view(context, user, row) for row in rows[:limit]}
    return page_of(rows, limit, lambda row: views[row.id])


async def show(context: Context, user: User, schedule_id: str) -> ScheduleView:
    """Return one schedule. Raises NotFound where it is unknown or another user's."""
    return await _view(context, user, await context.database.read(_own, user, schedule_id))


async def delete(context: Context, user: User, schedule_id: str) -> None:
    """Remove a schedule; executions that it triggered go on."""
    await context.database.write(_delete, user, schedule_id)


def _delete(connection: Connection, user: User, schedule_id: str) -> None:
    _own(connection, user, schedule_id)
    schedules.remove(connection, schedule_id)


def _own(connection: Connection, user: User, schedule_id: str) -> Row[Any]:
    row = schedules.find_own(connection, user.id, schedule_id)
    if row is None:
        raise NotFound("id", "No schedule of yours has this id.")
    return row


async def _view(context: Context, user: User, row: Row[Any]) -> ScheduleView:
    shown = await _mask(context, user, read(context, row))
    ahead: list[str] = []
    if row.next_run_at is not None:
        times = Cron(row.cron, row.timezone).following(row.next_run_at)
        ahead = [str(iso(moment)) for moment in (row.next_run_at, *islice(times, UPCOMING - 1))]
    return ScheduleView(
        id=row.id,
        name=row.name,
        workflow_id=row.workflow_id,
        cron=row.cron,
        timezone=row.timezone,
        execution=msgspec.to_builtins(shown.execution),
        overlap=row.overlap,
        enabled=row.enabled,
        next_run_at=row.next_run_at,
        upcoming=ahead,
        last_run_at=row.last_run_at,
        last_execution_id=row.last_execution_id,
        last_outcome=row.last_outcome,
        last_error=row.last_error,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
