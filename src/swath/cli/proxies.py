"""Commands of proxies on a server."""

from typing import Annotated, Any

import typer

from swath.cli.connection import connect
from swath.cli.options import AsJson
from swath.cli.screen import print_json, print_table

Json = Any

app = typer.Typer(
    no_args_is_help=True, help="Register, list, test and remove proxies.", rich_markup_mode=None
)

Id = Annotated[str, typer.Argument(help="The proxy's id.")]


@app.command("list")
def list_proxies(as_json: AsJson = False) -> None:
    """List the proxies that you may use."""
    found = list(connect().list("/proxies"))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "name", "type", "location", "address", "health"),
        [
            (each["id"], each["name"], each["type"], each["location"], each["url"], each["health"]["state"])
            for each in found
        ],
        empty="None yet: swath proxies add URL --location nyc registers one.",
    )


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="http://user:pass@host:port, or socks5://...")],
    location: Annotated[str, typer.Option(help="Where it is, such as nyc.")],
    kind: Annotated[str, typer.Option("--type", help="dedicated or shared.")] = "dedicated",
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    everybody: Annotated[bool, typer.Option(help="Let every user go through it (administrators).")] = False,
    as_json: AsJson = False,
) -> None:
    """Register a proxy; prints its id."""
    body = {"type": kind, "location": location, "url": url, "name": name, "shared": everybody}
    made = connect().ask("POST", "/proxies", body)
    print_json(made) if as_json else print(made["id"])


@app.command("test")
def try_proxy(
    proxy: Id,
    url: Annotated[str | None, typer.Option(help="What to ask for through it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try a proxy now; fails where it does not answer."""
    report = connect().ask("POST", f"/proxies/{proxy}/test", {"url": url} if url else {})
    if as_json:
        print_json(report)
    else:
        told = "answers" if report["ok"] else f"fails: {report['error_code']}: {report['message']}"
        print(f"{told} ({report['latency']:.2f} s)")
    raise typer.Exit(0 if report["ok"] else 1)


@app.command("remove")
def remove(proxy: Id) -> None:
    """Remove a proxy; executions under way go on with it."""
    connect().ask("DELETE", f"/proxies/{proxy}")
