"""What `swath run` does: open a house of its own in a hidden folder, run a workflow in it, save the files."""

import asyncio
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import msgspec
import uvloop

from swath.bootstrap import open_house, spare_collector
from swath.cli.display import Display
from swath.cli.failures import Wrong
from swath.cli.jobs import HIDDEN, Job, Place
from swath.cli.options import pick_items
from swath.cli.outcome import Outcome, View, conclude, settle
from swath.cli.screen import say
from swath.flow.definition import ProxyChoice, VariableMapping, Workflow
from swath.flow.execution import STATUS_GROUPS, TERMINAL
from swath.flow.items import prepare
from swath.operations import collections, executions, formulas, retries, triggers, users, workflows
from swath.operations.context import Context, User
from swath.settings import Settings
from swath.store.spool import Spool

Json = Any

#: Seconds between two looks at the execution.
LOOK = 0.2
#: The exit code of a command that was interrupted.
PAUSED = 130


def run(job: Job, place: Place) -> int:
    """Run a job to its end, or until it is interrupted; return the exit code."""
    folder = place.folder(job)
    spare_collector()
    code = uvloop.run(_run(job, place, folder))
    if code == 0 and place.data_dir is None:
        shutil.rmtree(folder, ignore_errors=True)  # nothing of it is wanted any more
        if HIDDEN.is_dir() and not any(HIDDEN.iterdir()):
            HIDDEN.rmdir()
    return code


async def _run(job: Job, place: Place, folder: Path) -> int:
    token = token_urlsafe(32)
    inherited = Settings.from_environment()
    settings = replace(
        inherited,
        data_dir=folder,
        database_url="",
        storage_url="",
        token=token,
        allowed_private_hosts=(*inherited.allowed_private_hosts, *place.allowed),
    )
    async with open_house(settings) as context:
        user = await users.authenticate(context, token)
        with _interruptible() as interrupted:
            first = await _begin(context, user, job, place)
            return await _see_through(context, user, job, place, first, interrupted)


async def _see_through(
    context: Context, user: User, job: Job, place: Place, first: str, interrupted: asyncio.Event
) -> int:
    """Watch an execution and those that it starts, one after the other, to their ends."""
    waiting, outcomes = [first], list[Outcome]()
    while waiting:
        view = await _watch(context, user, waiting.pop(0), place, interrupted)
        if view["status"] not in TERMINAL:
            return await _pause(context, user, view, place)
        outcomes.append(await settle(context, user, job, place, view))
        waiting += view["started"]
    return await conclude(context, place, outcomes)


@contextmanager
def _interruptible() -> Iterator[asyncio.Event]:
    """Give an event that Ctrl-C (or SIGTERM) sets."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


# --- begin, or go on


async def _begin(context: Context, user: User, job: Job, place: Place) -> str:
    """Return the execution to watch: the first of those under way, a retry, or a new one."""
    views, _ = await executions.list_for(context, user, workflow_id=None, group=None, limit=100, cursor=None)
    active = [view for view in views if view["status"] in STATUS_GROUPS["active"]]
    mine = [view for view in active if view["execution_name"] == job.digest]
    if mine and not place.fresh and not place.retry:
        return await _go_on(context, user, views, mine, place)
    for view in active:
        await executions.cancel(context, user, view["id"])
    if active and not place.quiet:
        say(
            "What was under way is given up: the formula or the options are others now, or --fresh was given."
        )
    if place.retry:
        return await _retry(context, user, views, job, place)
    return await _trigger(context, user, job)


async def _go_on(
    context: Context, user: User, views: Sequence[View], mine: Sequence[View], place: Place
) -> str:
    for view in mine:
        if view["status"] == "paused":
            await executions.resume(context, user, view["id"])
    if not place.quiet:
        ended, items = mine[0]["counters"]["items_ended"], mine[0]["counters"]["items"]
        say(f"Going on: {ended:,} of {items:,} items are done. (--fresh begins anew.)")
    return str(_line_of(views, mine[0])[0]["id"])


def _line_of(views: Sequence[View], last: View) -> list[View]:
    """Return an execution behind those that led to it, the first of them first."""
    known = {view["id"]: view for view in views}
    line = [last]
    while (before := known.get(line[0]["triggered_by"] or line[0]["parent_id"])) is not None:
        line.insert(0, before)
    return line


async def _retry(context: Context, user: User, views: Sequence[View], job: Job, place: Place) -> str:
    """Begin a retry of the first execution of the last run in which something is to be fetched again."""
    ended = [view for view in views if view["status"] in TERMINAL]
    if not ended:
        raise Wrong("--retry: there is no earlier run of this formula.")
    line = _line_of(views, ended[0])
    chosen = next(
        (view for view in line if view["status"] != "succeeded" and not _is_retried(views, view)), line[-1]
    )
    items = await _pick(context, user, chosen, place) if place.errors else None
    which: Any = tuple(place.which) or ("failed",)
    wish = retries.Retry(which=which, items=items, execution_name=job.digest)
    return await retries.retry(context, user, chosen["id"], wish)


def _is_retried(views: Sequence[View], view: View) -> bool:
    return any(each["parent_id"] == view["id"] for each in views)


async def _pick(context: Context, user: User, view: View, place: Place) -> tuple[int, ...]:
    """Return the items that failed with one of the chosen errors."""
    found: list[View] = []
    cursor: str | None = None
    while True:
        some, cursor = await executions.failures(context, user, view["id"], 1_000, cursor)
        found += some
        if cursor is None:
            return tuple(pick_items(found, place.errors))


async def _trigger(context: Context, user: User, job: Job) -> str:
    with job.file.naming():
        applied = await formulas.apply(context, user, job.source, job.secrets)
    workflow_id = str(applied.workflows[job.line[0]])
    for variable, items in job.inputs.items():
        await _feed(context, user, workflow_id, variable, items)
    asked = triggers.Trigger(
        proxy=msgspec.convert(job.proxy, ProxyChoice) if job.proxy else None,
        execution_parameters=job.parameters,
        maximum_requests_count=job.max_requests,
        output_aggregation_format=job.file_format,  # type: ignore[arg-type]
        compression=job.compression,  # type: ignore[arg-type]
        archive=job.archive,
        execution_name=job.digest,
    )
    return await triggers.trigger(context, user, workflow_id, asked)


async def _feed(context: Context, user: User, workflow_id: str, variable: str, items: Sequence[Json]) -> None:
    """Map a variable to a list that was given with the command, in the place of the formula's."""
    kind, prepared = prepare([item if isinstance(item, dict) else str(item) for item in items])
    with Spool(context.settings.data_dir / "scratch") as spool:
        spool.kind = kind
        for digest, _, value in prepared:
            spool.add(digest, value)
        spool.finish()
        made = await collections.create(context, user, f"--input {variable}", kind, spool)
    key = variable if kind == "json" else None
    mapping = VariableMapping(
        target_variable_name=variable, source_collection_id=made.id, source_collection_json_key=key
    )

    def revise(workflow: Workflow) -> Workflow:
        names = [each.target_variable_name for each in workflow.mappings]
        if variable not in names:
            return replace(workflow, mappings=(*workflow.mappings, mapping))
        kept = [
            mapping if name == variable else each for name, each in zip(names, workflow.mappings, strict=True)
        ]
        return replace(workflow, mappings=tuple(kept))

    await workflows.update(context, user, workflow_id, revise)


# --- until the end


async def _watch(
    context: Context, user: User, execution_id: str, place: Place, interrupted: asyncio.Event
) -> dict[str, Json]:
    """Show an execution until it has ended or Ctrl-C comes; return how it was last seen."""
    with Display(place.quiet) as display:
        while True:
            view = await executions.show(context, user, execution_id)
            display.show(view)
            if view["completed_at"] is not None or interrupted.is_set():
                return view
            try:
                await asyncio.wait_for(interrupted.wait(), LOOK)
            except TimeoutError:
                continue


async def _pause(context: Context, user: User, view: Mapping[str, Json], place: Place) -> int:
    if view["status"] == "running":
        await executions.pause(context, user, str(view["id"]))
    if not place.quiet:
        ended, items = view["counters"]["items_ended"], view["counters"]["items"]
        say(f"Paused at {ended:,} of {items:,} items. Go on with the same command:")
        say(f"    {shlex.join(['swath', *sys.argv[1:]])}")
    return PAUSED
