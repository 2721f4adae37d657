"""What came of the executions of a run: their files saved, told of, and summed up in an exit code."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from swath.cli.display import Display
from swath.cli.failures import BY_STATUS, FAILED
from swath.cli.jobs import Job, Place
from swath.cli.screen import print_json, say, write_inline
from swath.flow.formula.writing import describe_fields
from swath.operations import executions, workflows
from swath.operations.context import Context, User
from swath.operations.responses import find_paging
from swath.operations.results import open_result

Json = Any
View = Mapping[str, Json]

#: Failures that are shown at the end, to people and in JSON.
FEW, MOST = 3, 1_000


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An execution that has ended, where its files are saved, and the first of its failures."""

    name: str
    view: View
    files: Sequence[View]
    saved: Sequence[Path]
    failures: Sequence[View]

    @property
    def code(self) -> int:
        return BY_STATUS.get(self.view["status"], FAILED)


async def settle(context: Context, user: User, job: Job, place: Place, view: View) -> Outcome:
    """Save an ended execution's files, unless they go to standard output, and tell how it ended."""
    shown = await workflows.show(context, user, view["workflow_id"])
    newest = max((file["revision"] for file in view["results"]), default=0)
    files = [file for file in view["results"] if file["revision"] == newest]
    folder = place.results(job, shown.workflow.name)
    is_nothing = view["status"] == "failed" and not any(file["rows"] for file in files)
    wanted = [] if place.to_pipe or is_nothing else files
    saved = [await _write(context, file, folder) for file in wanted]
    most = MOST if place.as_json else FEW
    failures, _ = await executions.failures(context, user, str(view["id"]), most, None)
    outcome = Outcome(name=shown.workflow.name, view=view, files=files, saved=saved, failures=failures)
    named = outcome.name if len(job.line) > 1 else None
    if not place.quiet:
        Display.sum_up(view, saved, failures, named)
        await _tell_of_pages(context, user, view)
    elif not place.as_json:
        Display.complain(view, failures, named)
    return outcome


async def _tell_of_pages(context: Context, user: User, view: View) -> None:
    """Say so where answers speak of further pages and nothing says how these follow."""
    found = await find_paging(context, user, view["id"])
    if found is not None:
        say("The answers speak of further pages, which were not asked for. Add to the workflow:")
        say(f"    paginator: {write_inline(describe_fields(found))}")


async def conclude(context: Context, place: Place, outcomes: Sequence[Outcome]) -> int:
    """Print what is left to print of a run's executions, the first one first; return the exit code."""
    if place.to_pipe and outcomes[-1].files:
        await _copy(context, outcomes[-1].files[0], sys.stdout.buffer)
    if place.as_json:
        print_json(_nest(outcomes[0], outcomes))
    elif not place.quiet and any(each["retryable"] for outcome in outcomes for each in outcome.failures):
        say("What failed can be fetched again: the same command with --retry.")
    codes = [outcome.code for outcome in outcomes]
    return FAILED if FAILED in codes else max(codes)


def _nest(outcome: Outcome, outcomes: Sequence[Outcome]) -> dict[str, Json]:
    """Return an execution as JSON, with those that it started in it."""
    started = [_nest(each, outcomes) for each in _started(outcome, outcomes)]
    files = [str(path) for path in outcome.saved]
    told = {"workflow": outcome.name, "files": files, "failures": list(outcome.failures), "started": started}
    return {**outcome.view, **told}


def _started(outcome: Outcome, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    return (each for each in outcomes if each.view["triggered_by"] == outcome.view["id"])


async def _write(context: Context, file: View, folder: Path) -> Path:
    """Write a file into the folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nobody else is on this loop
    place = folder / str(file["name"])
    part = place.with_name(f".{place.name}.part")
    with part.open("wb") as writer:
        await _copy(context, file, writer)
    part.replace(place)
    return place


async def _copy(context: Context, file: View, writer: BinaryIO) -> None:
    secret, name = file["url"].split("/")[-2:]
    result = await open_result(context, secret, name)
    try:
        async for chunk in result.stream(0, result.size):
            writer.write(chunk)
        writer.flush()
    except BrokenPipeError:  # whoever reads has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
