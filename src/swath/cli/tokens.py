"""Commands of tokens on a server."""

from typing import Annotated, Any

import typer

from swath.cli.connection import connect
from swath.cli.options import AsJson
from swath.cli.screen import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens.", rich_markup_mode=None)


@app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens."""
    found = list(connect().list("/tokens"))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "name", "user", "administrator", "created", "last used"),
        [
            (
                each["id"],
                each["name"],
                each["user"],
                each["admin"],
                each["created_at"][:10],
                (each["last_used_at"] or "")[:10],
            )
            for each in found
        ],
    )


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    user: Annotated[
        str | None, typer.Option(help="Whose it is; a new name makes a user (administrators).")
    ] = None,
    admin: Annotated[bool, typer.Option(help="Let the user administer the server.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a token; it is printed this once."""
    body: dict[str, Any] = {
        "name": name,
        **({"user": user} if user else {}),
        **({"admin": True} if admin else {}),
    }
    made = connect().ask("POST", "/tokens", body)
    print_json(made) if as_json else print(made["token"])


@app.command("revoke")
def revoke(token: Annotated[str, typer.Argument(help="The token's id.")]) -> None:
    """Let a token be good for nothing from now on."""
    connect().ask("DELETE", f"/tokens/{token}")
