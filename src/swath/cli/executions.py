"""Commands of executions on a server: trigger, status, cancel, pause, resume, change, retry, download."""

import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swath.cli.connection import connect
from swath.cli.failures import BY_STATUS, FAILED, Wrong
from swath.cli.options import (
    Archive,
    AsJson,
    Compression,
    Errors,
    Format,
    MaxRequests,
    Params,
    ProxyWish,
    Which,
    pick_items,
    read_params,
    read_proxy,
    read_which,
)
from swath.cli.screen import ARCHIVE, print_json, print_table, say, write_extent, write_size

if TYPE_CHECKING:
    from swath.client import Execution

Json = Any

Name = Annotated[str, typer.Argument(help="The workflow's name or id.")]
Id = Annotated[str, typer.Argument(help="The execution's id, or its beginning.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end; the exit code says how it ended.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Wait, and save the files into this folder.")]


def trigger(
    workflow: Name,
    param: Params = None,
    proxy: ProxyWish = None,
    max_requests: MaxRequests = None,
    format: Format = "csv",
    compression: Compression = None,
    archive: Archive = False,
    hot_swap: Annotated[bool, typer.Option(help="Go on through another proxy where one fails.")] = False,
    name: Annotated[str | None, typer.Option(help="What to call the execution.")] = None,
    key: Annotated[str | None, typer.Option(help="An idempotency key: the same one triggers once.")] = None,
    source: Annotated[
        str | None, typer.Option(metavar="ID", help="The execution whose rows it takes; else the newest.")
    ] = None,
    chain: Annotated[bool, typer.Option(help="Whether workflows that take its rows follow.")] = True,
    wait: Wait = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Trigger an execution of a workflow; prints its id."""
    options = {
        "proxy": read_proxy(proxy),
        "maximum_requests_count": max_requests,
        "output_aggregation_format": format,
        "compression": compression,
        "archive": archive or None,
        "source_execution_id": source,
        "chain": None if chain else False,
        "do_proxy_hot_swap": hot_swap,
        "execution_name": name,
    }
    wanted = {key: value for key, value in options.items() if value is not None}
    execution = connect().workflows[workflow].execute(read_params(param), idempotency_key=key, **wanted)
    _follow(execution, wait=wait, out=out, as_json=as_json)


def _follow(execution: "Execution", *, wait: bool, out: Path | None, as_json: bool) -> None:
    """Print an execution's id or, at its end, what came of it; the exit code says how it ended.

    Of executions that it starts the ids are told; `swath status ID --wait` waits for one.
    """
    if not wait and out is None:
        print_json({"id": execution.id}) if as_json else print(execution.id)
        return
    if not as_json:
        say(execution.id)
    execution.wait(progress=not as_json)
    files = execution.download(out) if out is not None else []
    if as_json:
        print_json(execution.view)
    else:
        show_execution(execution)
        for file in files:
            say(f"Wrote {file}.")
    raise typer.Exit(BY_STATUS.get(execution.status, FAILED))


def status(
    execution: Annotated[str | None, typer.Argument(help="Its id; left out, the newest are listed.")] = None,
    wait: Wait = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show an execution, or list the newest."""
    if execution is None:
        client = connect()
        views = client.ask("GET", f"/executions?limit={limit}")
        names = {} if as_json else {each["id"]: each["name"] for each in client.list("/workflows")}
        print_json(views) if as_json else _list(views, names)
        return
    found = find(execution).refresh()
    if wait:
        found.wait(progress=not as_json)
    print_json(found.view) if as_json else show_execution(found)
    if wait:
        raise typer.Exit(BY_STATUS.get(found.status, FAILED))


def _list(views: list[dict[str, Json]], names: Mapping[str, str]) -> None:
    """List executions; at a terminal by the beginnings of their ids, which commands take as well.

    There the time has neither year nor seconds, and pages are not counted, so that a row has room on a line.
    """
    from swath.client.progress import count_rows  # noqa: PLC0415 - see connect

    is_seen = sys.stdout.isatty()
    shown = slice(5, 16) if is_seen else slice(19)
    print_table(
        ("execution", "workflow", "status", "created", "items", *(() if is_seen else ("pages",)), "rows"),
        [
            (
                view["id"][: SHORT if is_seen else None],
                names.get(view["workflow_id"], view["workflow_id"]),
                view["status"],
                view["created_at"][shown].replace("T", " "),
                f"{view['counters']['items_ended']:,}/{view['counters']['items']:,}",
                *(() if is_seen else (view["counters"]["pages"],)),
                count_rows(view),
            )
            for view in views
        ],
        empty="None yet: swath trigger WORKFLOW starts one.",
    )


def show_execution(execution: "Execution") -> None:
    """Show one execution: how far it is, what went wrong, which files there are."""
    view = execution.view
    counters = view["counters"]
    told = f"{counters['items_ended']:,} of {counters['items']:,} items, {counters['pages']:,} pages"
    early = f", ended early by its limit of {view['truncated_by']}" if view["truncated"] else ""
    print(f"{view['id']}  {view['status']}{early}")
    print(f"{told}, {counters['attempts']:,} requests, {write_size(counters['bytes'])}")
    wrong = {reason: count for reason, count in counters["stop_reasons"].items() if reason not in GOOD}
    if wrong:
        print("ended otherwise: " + ", ".join(f"{count:,} {reason}" for reason, count in wrong.items()))
    if view["triggered_by"]:
        print(f"started by the end of {view['triggered_by']}")
    for each in view["started"]:
        print(f"its end started {each}")
    for sentence in (view["error"], *view["warnings"]):
        if sentence:
            print(sentence)
    if wrong:
        _show_failures(execution)
    for each in view["results"]:
        is_archive = each["format"] == ARCHIVE
        name = each["name"] if is_archive else each["collection"] or "response"
        columns = "" if is_archive else f" of {each['columns']:,} columns"
        print(f"{name}: {write_extent(each)}{columns}, {write_size(each['bytes'])}\n    {each['url']}")


def _show_failures(execution: "Execution") -> None:
    """Show the first failures and, where it may help, how these items are fetched again."""
    failures = list(islice(execution.failures(), FEW))
    for each in failures:
        inputs = ", ".join(f"{name}={value}" for name, value in each["inputs"].items())
        print(f"  {inputs or 'item'}: {each['error_code']}: {each['message']}")
    if execution.view["completed_at"] and any(each["retryable"] for each in failures):
        print(f"What failed can be fetched again: swath retry {execution.id}")


#: Failures that are shown.
FEW = 3
#: Stop reasons of items that went as they should.
GOOD = ("complete", "empty_page", "stop_when", "page_limit")


#: Characters of an id that a list at a terminal shows.
SHORT = 8
#: How many of the newest executions the beginning of an id may mean.
NEWEST = 1000
_LENGTH = 36


def find(execution: str) -> "Execution":
    """Return an execution by its id, or by a beginning that only one of the newest has. Raises Wrong."""
    client = connect()
    if not 4 <= len(execution) < _LENGTH:
        return client.executions[execution]
    views = client.ask("GET", f"/executions?limit={NEWEST}")
    found = [view["id"] for view in views if view["id"].startswith(execution)]
    if len(found) > 1:
        raise Wrong(f"{len(found)} executions have an id that begins with {execution}; write more of it.")
    return client.executions[found[0] if found else execution]


def cancel(execution: Id, wait: Wait = False, as_json: AsJson = False) -> None:
    """Stop an execution; what was fetched so far is combined."""
    _steered(find(execution).cancel(), wait, as_json)


def pause(execution: Id, as_json: AsJson = False) -> None:
    """Hold an execution: nothing more is sent until it is resumed."""
    _steered(find(execution).pause(), False, as_json)


def resume(execution: Id, wait: Wait = False, as_json: AsJson = False) -> None:
    """Let a paused execution go on."""
    _steered(find(execution).resume(), wait, as_json)


def change(
    execution: Id,
    priority: Annotated[int | None, typer.Option(help="1 to 9, the highest first.")] = None,
    max_requests: MaxRequests = None,
    max_rows: Annotated[int | None, typer.Option(help="Take at most so many rows.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Take at most so many bytes of answers.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Run for at most so long, pauses aside.")] = None,
    rate: Annotated[float | None, typer.Option(help="Requests per second to the target.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Items side by side.")] = None,
    proxy: ProxyWish = None,
    as_json: AsJson = False,
) -> None:
    """Change an execution while it goes on; what is not given stays as it is."""
    limits = {"rows": max_rows, "bytes": max_bytes, "seconds": max_seconds}
    changes = {
        "priority": priority,
        "maximum_requests_count": max_requests,
        "limits": {kind: value for kind, value in limits.items() if value is not None} or None,
        "rate_limits": None if rate is None else [_read_rate(rate)],
        "concurrency": concurrency,
        "proxy": read_proxy(proxy),
    }
    wanted = {name: value for name, value in changes.items() if value is not None}
    if not wanted:
        raise Wrong("Say what to change, such as --priority 9 or --max-requests 5000.")
    _steered(find(execution).change(**wanted), False, as_json)


def _read_rate(rate: float) -> dict[str, Json]:
    """Return a rate limit: of a rate below one, a request in so many seconds."""
    if rate <= 0:
        raise Wrong(f"--rate {rate:g}: must be above 0.")
    return {"requests": int(rate)} if rate == int(rate) else {"requests": 1, "per_seconds": 1 / rate}


def _steered(execution: "Execution", wait: bool, as_json: bool) -> None:
    if wait:
        execution.wait(progress=not as_json)
    print_json(execution.view) if as_json else show_execution(execution)


def retry(
    execution: Id,
    partial: Annotated[bool, typer.Option(help="Fetch partial items again, too.")] = False,
    which: Which = None,
    error: Errors = None,
    wait: Wait = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Fetch again what failed, as a new execution whose result holds everything; prints its id."""
    ends = [*(read_which(which) or ("failed",)), *(["partial"] if partial else [])]
    found = find(execution)
    wish: dict[str, Json] = {"items": pick_items(found.failures(), error)} if error else {"which": ends}
    again = found.retry(**wish)
    _follow(again, wait=wait, out=out, as_json=as_json)


def download(
    execution: Id,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder.")] = Path("."),
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="Combine again, as csv, json, jsonl, parquet or xlsx."),
    ] = None,
    compression: Compression = None,
    archive: Archive = False,
    as_now: Annotated[
        bool,
        typer.Option("--as-now", help="Combine again by the workflow as it is now: columns, filters, ..."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Wait for an execution's end and save its files; in another form they are combined again first."""
    found = find(execution).wait(progress=not as_json)
    form = {"output_aggregation_format": format, "compression": compression, "archive": archive or None}
    wanted = {name: value for name, value in form.items() if value is not None}
    if as_now:
        wanted |= _read_recipe(found.view["workflow_id"])
    if wanted:
        found.combine(**wanted)
    files = found.download(out)
    if as_json:
        print_json([str(file) for file in files])
    else:
        for file in files:
            print(file)


def _read_recipe(workflow: str) -> dict[str, Json]:
    """Return what a workflow says of its files now."""
    from swath.flow.recipe import OF_WORKFLOW  # noqa: PLC0415 - only who asks for it needs the definitions

    known = connect().workflows[workflow].read()
    return {name: known[name] for name in OF_WORKFLOW}
