"""Commands of webhooks on a server."""

from typing import Annotated, Any

import typer

from swath.cli.connection import connect
from swath.cli.options import AsJson
from swath.cli.screen import print_json, print_table, say

Json = Any

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list, test and delete webhooks; see what they were told.",
    rich_markup_mode=None,
)

Id = Annotated[str, typer.Argument(help="The webhook's id.")]


@app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List the webhooks."""
    found = list(connect().list("/webhooks"))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "name", "address", "events", "enabled"),
        [
            (each["id"], each["name"], each["url"], ", ".join(each["events"]), each["enabled"])
            for each in found
        ],
        empty="None yet: swath webhooks create URL makes one.",
    )


@app.command("create")
def create(
    url: Annotated[str, typer.Argument(help="Where it is told.")],
    event: Annotated[
        list[str] | None, typer.Option(help="Such as execution.failed; may be repeated. Else every end.")
    ] = None,
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    secret: Annotated[str | None, typer.Option(help="What signs the deliveries; else one is made.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have an address told of what becomes of executions; prints the id, and a secret that was made."""
    wish: dict[str, Json] = {"url": url, "name": name, "events": event, "secret": secret}
    made = connect().ask("POST", "/webhooks", {key: value for key, value in wish.items() if value})
    if as_json:
        print_json(made)
        return
    print(made["id"])
    if secret is None:
        say(f"The secret that signs its deliveries, shown this once: {made['secret']}")


@app.command("deliveries")
def list_deliveries(
    webhook: Id,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what a webhook was told, newest first, and what came of it."""
    found = connect().ask("GET", f"/webhooks/{webhook}/deliveries?limit={limit}")
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "event", "execution", "state", "attempts", "answer", "when"),
        [
            (
                each["id"],
                each["event"],
                each["execution_id"],
                each["state"],
                each["attempts"],
                each["last_status"] or each["last_error"],
                (each["last_attempt_at"] or each["created_at"])[:19].replace("T", " "),
            )
            for each in found
        ],
    )


@app.command("test")
def try_webhook(webhook: Id, as_json: AsJson = False) -> None:
    """Tell a webhook something now; fails where that does not arrive."""
    told = connect().ask("POST", f"/webhooks/{webhook}/test")
    if as_json:
        print_json(told)
    else:
        print(f"{told['state']}: {told['last_status'] or told['last_error']}")
    raise typer.Exit(0 if told["state"] == "delivered" else 1)


@app.command("again")
def send_again(webhook: Id, delivery: Annotated[str, typer.Argument(help="The delivery's id.")]) -> None:
    """Make a delivery again that is over."""
    connect().ask("POST", f"/webhooks/{webhook}/deliveries/{delivery}/retry")


@app.command("delete")
def delete(webhook: Id) -> None:
    """Delete a webhook with its deliveries."""
    connect().ask("DELETE", f"/webhooks/{webhook}")
