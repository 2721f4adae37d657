"""Tokens, and how the server is set."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.operations import server, users
from swath.operations.context import Context, User
from swath.operations.executions import iso
from swath.operations.server import ServerView
from swath.operations.users import NewToken, TokenView
from swath.ui.dialogs import Form
from swath.ui.frame import Visit, button, now, show, view
from swath.ui.markup import code, join, link, moment, table, tag

_SETTINGS = ("Setting", "Value", "What it is")


@view("/settings", "Settings", "/settings")
async def show_settings(visit: Visit, user: str | None = None) -> None:
    with ui.element("div").classes("heading"):
        show(tag("h1", "Settings"))
    await _draw_tokens(visit, user)
    told = await visit.ask(_describe)
    show(join([tag("h2", f"Server, version {told.version}"), _write_settings(told)]), "card")


async def _describe(context: Context, user: User) -> ServerView:
    return server.describe(context, user)


async def _draw_tokens(visit: Visit, user: str | None) -> None:
    page = await visit.ask(users.list_tokens, of=user, limit=1_000, cursor=None)
    with ui.element("section").classes("card"):
        with ui.element("div").classes("line spread"):
            show(tag("h2", f"Tokens of {user or visit.user.name}"))
            button("New token…", lambda: _ask_new(visit), "primary")
        if visit.user.admin:
            show(_write_choice(user))
        for each in page.objects:
            _draw_token(visit, each)


def _write_choice(user: str | None) -> Markup:
    field = tag(
        "input", name="user", value=user, required=True, aria_label="User", placeholder="Another user"
    )
    look = tag("button", "Show those", type="submit", class_="act-link")
    own = link("Show yours", "/settings") if user else None
    return tag("form", field, look, own, action="/settings", class_="line search short")


def _draw_token(visit: Visit, token: TokenView) -> None:
    with ui.element("div").classes("proxy"):
        used = (
            tag("span", "used ", moment(iso(token.last_used_at), now()))
            if token.last_used_at
            else "never used"
        )
        made = tag("span", "made ", moment(iso(token.created_at), now()))
        role = tag("span", "administrator", class_="quiet") if token.admin else None
        show(join([tag("b", token.name or "unnamed"), role, made, used], " "), "proxy-facts")
        button("Revoke…", lambda: _ask_revoke(visit, token), "danger")


def _ask_new(visit: Visit) -> None:
    async def create() -> None:
        wanted = NewToken(
            name=name.value or "", user=owner.value or None, admin=True if admin.value else None
        )
        _show_once(await visit.ask(users.create_token, wanted))

    with Form("New token", "Make it", create):
        name = ui.input("What it is for", placeholder="nightly script").props("outlined dense autofocus")
        owner = ui.input("User; empty: yourself").props("outlined dense")
        admin = ui.checkbox("An administrator")
        for each in (owner, admin):
            each.set_visibility(visit.user.admin)


def _show_once(token: TokenView) -> None:
    async def done() -> None:
        ui.navigate.reload()

    with Form(f"The token of {token.user}", "I have kept it", done):
        show(join([tag("p", "It is shown this once; keep it where secrets are kept."), code(token.token)]))


def _ask_revoke(visit: Visit, token: TokenView) -> None:
    async def revoke() -> None:
        await visit.ask(users.revoke_token, token.id)
        ui.navigate.reload()

    with Form(f"Revoke {token.name or 'this token'}?", "Revoke it", revoke, kind="danger", leave="Keep it"):
        ui.label("Whoever uses it is out at once, in programs and in browsers.")


def _write_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _write_settings(told: ServerView) -> Any:
    rows = [
        [
            tag("code", each.variable),
            _write_value(each.value) or tag("span", "set" if each.given else "not set", class_="quiet"),
            each.meaning,
        ]
        for each in told.settings
    ]
    return table("Settings of the server", _SETTINGS, rows, "stacks")
