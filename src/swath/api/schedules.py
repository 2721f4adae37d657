"""Routes of schedules."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, deleted, many, one, read_body
from swath.api.openapi import says
from swath.operations import schedules
from swath.operations.schedules import Schedule
from swath.wire import schemas
from swath.wire.answers import show
from swath.wire.bodies import parse, reviser

router = APIRouter(tags=["schedules"])


@router.get("/schedules", **says(schemas.automation.ScheduleObject, many=True))
async def list_schedules(request: Request, limit: Limit = MOST_OBJECTS, cursor: Cursor = None) -> Response:
    """List your schedules, newest first."""
    page = await schedules.list_for(*caller(request), limit=limit, cursor=cursor)
    return many(map(show, page.objects), page.next_cursor)


@router.post("/schedules", **says(schemas.automation.ScheduleObject, body=Schedule))
async def create_schedule(request: Request) -> Response:
    """Create a schedule: a workflow that is executed at the times of a cron expression."""
    schedule = parse(Schedule, await read_body(request))
    return one(show(await schedules.create(*caller(request), schedule)))


@router.get("/schedules/{schedule_id}", **says(schemas.automation.ScheduleObject))
async def get_schedule(request: Request, schedule_id: str) -> Response:
    """Read a schedule: when it is due next, and what became of the last time."""
    return one(show(await schedules.show(*caller(request), schedule_id)))


@router.patch("/schedules/{schedule_id}", **says(schemas.automation.ScheduleObject, body=Schedule))
@router.put("/schedules/{schedule_id}", **says(schemas.automation.ScheduleObject, body=Schedule))
async def update_schedule(request: Request, schedule_id: str) -> Response:
    """Replace the given keys of a schedule; its next time is reckoned anew."""
    revise = reviser(Schedule, await read_body(request))
    return one(show(await schedules.update(*caller(request), schedule_id, revise)))


@router.delete("/schedules/{schedule_id}", **says(schemas.outcomes.Deleted))
async def delete_schedule(request: Request, schedule_id: str) -> Response:
    """Delete a schedule; executions that it triggered go on."""
    await schedules.delete(*caller(request), schedule_id)
    return deleted(schedule_id)
