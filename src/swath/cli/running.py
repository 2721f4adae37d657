"""What `swath run` does: open a house of its own in a hidden folder, run a workflow in it, save the files."""

import asyncio
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, BinaryIO

import msgspec
import uvloop

from swath.bootstrap import open_house, spare_collector
from swath.cli.display import Display
from swath.cli.failures import BY_STATUS, FAILED, Wrong
from swath.cli.jobs import HIDDEN, Job, Place
from swath.cli.screen import print_json, say
from swath.flow.definition import ProxyChoice, VariableMapping, Workflow
from swath.flow.execution import STATUS_GROUPS, TERMINAL
from swath.flow.items import prepare
from swath.operations import collections, executions, formulas, retries, triggers, users, workflows
from swath.operations.context import Context, User
from swath.operations.results import open_result
from swath.settings import Settings
from swath.store.spool import Spool

Json = Any

#: Seconds between two looks at the execution.
LOOK = 0.2
#: Failures that are shown at the end.
FEW = 3
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
            execution_id = await _begin(context, user, job, place)
            view = await _watch(context, user, execution_id, place, interrupted)
            if view["status"] not in TERMINAL:
                return await _pause(context, user, view, place)
        return await _end(context, user, job, place, view)


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
    """Return the execution to watch: the one under way, a retry of the last, or a new one."""
    views, _ = await executions.list_for(context, user, workflow_id=None, group=None, limit=100, cursor=None)
    active = [view for view in views if view["status"] in STATUS_GROUPS["active"]]
    for view in active:
        if view["execution_name"] == job.digest and not place.fresh and not place.retry:
            return await _go_on(context, user, view, place)
        await executions.cancel(context, user, view["id"])
    if active and not place.quiet:
        say(
            "What was under way is given up: the formula or the options are others now, or --fresh was given."
        )
    if place.retry:
        ended = [view for view in views if view["status"] in TERMINAL]
        if not ended:
            raise Wrong("--retry: there is no earlier run of this formula.")
        return await retries.retry(context, user, ended[0]["id"], retries.Retry(execution_name=job.digest))
    return await _trigger(context, user, job)


async def _go_on(context: Context, user: User, view: Mapping[str, Json], place: Place) -> str:
    if not place.quiet:
        ended, items = view["counters"]["items_ended"], view["counters"]["items"]
        say(f"Going on: {ended:,} of {items:,} items are done. (--fresh begins anew.)")
    if view["status"] == "paused":
        await executions.resume(context, user, view["id"])
    return str(view["id"])


async def _trigger(context: Context, user: User, job: Job) -> str:
    applied = await formulas.apply(context, user, job.file.source, job.secrets)
    workflow_id = str(applied.workflows[job.workflow])
    for variable, items in job.inputs.items():
        await _feed(context, user, workflow_id, variable, items)
    asked = triggers.Trigger(
        proxy=msgspec.convert(job.proxy, ProxyChoice) if job.proxy else None,
        execution_parameters=job.parameters,
        maximum_requests_count=job.max_requests,
        output_aggregation_format=job.file_format,  # type: ignore[arg-type]
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


async def _end(context: Context, user: User, job: Job, place: Place, view: Mapping[str, Json]) -> int:
    newest = max((file["revision"] for file in view["results"]), default=0)
    files = [file for file in view["results"] if file["revision"] == newest]
    saved = await _save(context, place.out, place.results(job), files)
    failures, _ = await executions.failures(context, user, str(view["id"]), FEW, None)
    if place.as_json:
        print_json({**view, "files": [str(path) for path in saved]})
    elif not place.quiet:
        Display.sum_up(view, saved, failures)
        if any(each["retryable"] for each in failures):
            say("What failed can be fetched again: the same command with --retry.")
    elif view["error"]:
        say(str(view["error"]))
    return BY_STATUS.get(view["status"], FAILED)


async def _save(
    context: Context, out: Path | None, folder: Path, files: Sequence[Mapping[str, Json]]
) -> list[Path]:
    if str(out) == "-":
        if files:
            await _copy(context, files[0], sys.stdout.buffer)
        return []
    return [await _write(context, file, folder) for file in files]


async def _write(context: Context, file: Mapping[str, Json], folder: Path) -> Path:
    """Write a file into the folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nobody else is on this loop
    place = folder / str(file["name"])
    part = place.with_name(f".{place.name}.part")
    with part.open("wb") as writer:
        await _copy(context, file, writer)
    part.replace(place)
    return place


async def _copy(context: Context, file: Mapping[str, Json], writer: BinaryIO) -> None:
    secret, name = file["url"].split("/")[-2:]
    result = await open_result(context, secret, name)
    try:
        async for chunk in result.stream(0, result.size):
            writer.write(chunk)
        writer.flush()
    except BrokenPipeError:  # whoever reads has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
