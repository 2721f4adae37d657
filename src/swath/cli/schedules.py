"""Commands of schedules on a server."""

from typing import Annotated, Any

import typer

from swath.cli.connection import connect
from swath.cli.options import (
    AsJson,
    Format,
    MaxRequests,
    Params,
    ProxyWish,
    read_params,
    read_proxy,
)
from swath.cli.screen import print_json, print_table

Json = Any

app = typer.Typer(no_args_is_help=True, help="Make, list, hold and delete schedules.", rich_markup_mode=None)

Id = Annotated[str, typer.Argument(help="The schedule's id.")]


@app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List the schedules: when each runs next, and what came of the last time."""
    client = connect()
    found = list(client.list("/schedules"))
    if as_json:
        print_json(found)
        return
    names = {each["id"]: each["name"] for each in client.list("/workflows")}
    print_table(
        ("id", "name", "workflow", "cron", "next", "last"),
        [
            (
                each["id"],
                each["name"],
                names.get(each["workflow_id"], each["workflow_id"]),
                f"{each['cron']} {each['timezone']}",
                _minute(each["next_run_at"]) if each["enabled"] else "held",
                " ".join(filter(None, (each["last_outcome"], each["last_error"]))),
            )
            for each in found
        ],
        empty="None yet: swath schedules create WORKFLOW '@daily' makes one.",
    )


def _minute(moment: str | None) -> str:
    return "" if moment is None else moment[:16].replace("T", " ")


@app.command("create")
def create(
    workflow: Annotated[str, typer.Argument(help="The workflow's name or id.")],
    cron: Annotated[str, typer.Argument(help="As in '30 2 * * 1-5', or @daily.")],
    timezone: Annotated[str, typer.Option(help="Whose clocks are meant, such as Europe/Berlin.")] = "UTC",
    name: Annotated[str, typer.Option(help="What to call it, and its executions.")] = "",
    overlap: Annotated[str, typer.Option(help="While the one before runs: skip or queue.")] = "skip",
    param: Params = None,
    proxy: ProxyWish = None,
    max_requests: MaxRequests = None,
    format: Format = "csv",
    as_json: AsJson = False,
) -> None:
    """Execute a workflow again and again; prints the schedule's id."""
    client = connect()
    execution = {
        "execution_parameters": read_params(param),
        "proxy": read_proxy(proxy),
        "maximum_requests_count": max_requests,
        "output_aggregation_format": format,
    }
    body = {
        "workflow_id": client.workflows[workflow].find_id(),
        "cron": cron,
        "timezone": timezone,
        "name": name,
        "overlap": overlap,
        "execution": {key: value for key, value in execution.items() if value},
    }
    made = client.ask("POST", "/schedules", body)
    print_json(made) if as_json else print(made["id"])


@app.command("hold")
def hold(schedule: Id) -> None:
    """Let it run no more until it is released."""
    connect().ask("PATCH", f"/schedules/{schedule}", {"enabled": False})


@app.command("release")
def release(schedule: Id) -> None:
    """Let it run again, from its next time on."""
    connect().ask("PATCH", f"/schedules/{schedule}", {"enabled": True})


@app.command("delete")
def delete(schedule: Id) -> None:
    """Delete a schedule; executions that it triggered go on."""
    connect().ask("DELETE", f"/schedules/{schedule}")
