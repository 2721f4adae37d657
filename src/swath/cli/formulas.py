"""Commands of formulas: apply, preview."""

from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.connection import connect
from swath.cli.failures import FAILED, Wrong
from swath.cli.options import (
    AsJson,
    Params,
    ProxyWish,
    Secrets,
    WorkflowName,
    find_secrets,
    read_params,
    read_proxy,
    read_secrets,
)
from swath.cli.screen import print_json, print_rows, say, shorten, write, write_inline, write_size, write_time

Json = Any

Files = Annotated[list[Path], typer.Argument(help="Formulas, YAML or JSON; - is standard input.")]
Target = Annotated[
    str, typer.Argument(help="A formula's file, or the name or id of a workflow on the server.")
]
Items = Annotated[int, typer.Option(min=1, max=10, help="How many first pages to fetch.")]
MARKS = {"create": "+", "update": "~", "unchanged": " "}


def apply(
    files: Files,
    secret: Secrets = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create or update on a server, by name, what formulas hold; shows first what would change."""
    from swath.cli.sources import FormulaFile  # noqa: PLC0415 - the reader of formulas takes its time to load

    given, formulas, client = read_secrets(secret), [FormulaFile(path) for path in files], connect()
    for formula in formulas:
        known = given.of(formula.secret_names)
        with formula.naming():
            planned = client.apply(formula.body, known, dry_run=True)
        if not as_json:
            show_changes(formula.path, planned)
        if dry_run:
            if as_json:
                print_json(planned)
            continue
        known |= find_secrets(planned["secrets_missing"], ask=not yes)
        changed = any(each["action"] != "unchanged" for each in planned["changes"])
        if changed and not (yes or as_json):
            _confirm()
        applied = client.apply(formula.body, known) if changed or known else planned
        if as_json:
            print_json(applied)
        elif applied["secrets_missing"]:
            say(f"Without a value yet: {', '.join(applied['secrets_missing'])}; give --secret NAME=VALUE.")


def _confirm() -> None:
    try:
        typer.confirm("Apply?", abort=True, err=True)
    except typer.Abort:
        raise Wrong("Nothing was changed. Without a terminal, give --yes.") from None


def show_changes(path: Path, applied: dict[str, Json]) -> None:
    """Show what a formula changes, field by field."""
    from rich.console import Console  # noqa: PLC0415 - only who sees it needs it
    from rich.text import Text  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    styles = {"create": "green", "update": "yellow", "unchanged": "dim"}
    console.print(Text(str(path), "bold"))
    for change in applied["changes"]:
        action = change["action"]
        console.print(Text(f"{MARKS[action]} {change['kind']} {change['name']}: {action}", styles[action]))
        for each in change["differences"]:
            if each["old"] is not None and action == "update":
                console.print(Text(f"    - {each['field']}: {shorten(write(each['old']), 100)}", "red"))
            if each["new"] is not None:
                console.print(Text(f"    + {each['field']}: {shorten(write(each['new']), 100)}", "green"))


def preview(
    target: Target,
    workflow: WorkflowName = None,
    items: Items = 3,
    param: Params = None,
    secret: Secrets = None,
    proxy: ProxyWish = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the first page of a few items and show what an execution would be; nothing is kept."""
    client = connect()
    wish: dict[str, Json] = {
        "items": items,
        "execution_parameters": read_params(param),
        "proxy": read_proxy(proxy),
    }
    if Path(target).is_file() or target == "-":
        from swath.cli.sources import FormulaFile  # noqa: PLC0415 - see apply

        file = FormulaFile(Path(target))
        known = read_secrets(secret).of(file.secret_names)
        names = [name for listed in file.formula.secrets.values() for name in listed if name not in known]
        secrets = find_secrets(names, ask=True) | known
        with file.naming():
            shown = client.preview(file.body, workflow=file.choose(workflow), secrets=secrets, **wish)
    else:
        shown = client.workflows[target].preview(**wish)
    if as_json:
        print_json(shown)
    else:
        show_preview(shown)
    if shown["requests"] and all("error_code" in each for each in shown["requests"]):
        raise typer.Exit(FAILED)


def show_preview(shown: dict[str, Json]) -> None:
    """Show a preview: what was sent, what came, its tables, how it would page, how much it would be."""
    print(f"{shown['items']:,} input items; the first page of {len(shown['requests'])} of them:")
    for each in shown["requests"]:
        show_request(each)
    for table in shown["collections"]:
        print(f"\n{table['name']}: {table['total']:,} rows of {len(table['columns'])} columns")
        print_rows(table["columns"], table["rows"][:5])
    if shown["collections"]:
        print()
    for each in shown["paginators"][:3]:
        print(f"paginator: {write_inline(each['paginator'])}")
        for reason in each["evidence"]:
            print(f"    {reason}")
    if shown["estimate"]:
        print(describe_estimate(shown["estimate"]))
    for warning in shown["warnings"]:
        say(warning)


def show_request(request: dict[str, Json]) -> None:
    """Show a request that a preview sent: what for, what came, and where it went."""
    inputs = ", ".join(f"{name}={write(value)}" for name, value in request["inputs"].items())
    came = [str(request.get("status_code") or ""), str(request.get("error_code") or "")]
    if "status_code" in request:
        came += [write_size(request["bytes"]), f"{request['elapsed']:.2f} s"]
    print("  ".join(part for part in ("", *came, inputs) if part or part is inputs).rstrip())
    if "url" in request:
        print(f"    {request['method']} {request['url']}")
    if request.get("message"):
        print(f"    {request['message']}")


def describe_estimate(estimate: dict[str, Json]) -> str:
    """Return an estimate as a sentence."""
    least = "at least " if estimate["at_least"] else "about "
    return (
        f"In all {least}{estimate['requests']:,} requests, {estimate['rows']:,} rows, "
        f"{write_size(estimate['bytes'])}, {write_time(estimate['seconds'])}."
    )
