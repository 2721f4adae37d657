"""What every view has: a visitor, a frame around it, and a place where errors are said."""

import inspect
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from hashlib import sha256
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from markupsafe import Markup
from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse

from swath.errors import FieldError, NotFound, Unauthenticated
from swath.operations import users
from swath.operations.context import Context, User
from swath.ui.markup import badge, link, nothing, tag
from swath.ui.session import read_digest, sign_in_address

log = structlog.get_logger()
P = ParamSpec("P")
T = TypeVar("T")

STATIC = Path(__file__).parent / "static"
#: Seconds in which a view must be built: late is better than never, where the machine is busy.
SLOWEST = 60.0
#: What is said of what nobody foresaw.
FAILED = "Something went wrong on our side; it has been logged."
PLACES = (
    ("Workflows", "/workflows"),
    ("Executions", "/executions"),
    ("Collections", "/collections"),
    ("Proxies", "/proxies"),
    ("Schedules", "/schedules"),
    ("Webhooks", "/webhooks"),
    ("Settings", "/settings"),
)
#: Changes with the files, which browsers keep for as long as it stays the same.
_EDITION = sha256(b"".join((STATIC / name).read_bytes() for name in ("style.css", "page.js"))).hexdigest()[
    :12
]
_HEAD = f"""<link rel="stylesheet" href="/_swath/style.css?{_EDITION}">
<script src="/_swath/page.js?{_EDITION}"></script>"""


class Left(Exception):
    """The visitor may look no longer: whatever the view was about to do or to say is for nobody."""


@dataclass(slots=True)
class Visit:
    """One view in one browser: who looks, and the way to the operations."""

    context: Context
    digest: str
    user: User
    request: Request
    #: What the view does when the thing it shows has changed.
    on_change: list[Callable[[Mapping[str, Any]], Any]] = field(default_factory=list)

    @property
    def is_dark(self) -> bool:
        """Whether the visitor chose dark or, without a choice, his system does."""
        cookies = self.request.cookies
        return cookies.get("swath_theme", cookies.get("swath_system")) == "dark"

    async def ask(
        self,
        operation: Callable[Concatenate[Context, User, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call an operation as the visitor. Raises Left once the token is revoked, and leads to sign in."""
        try:
            user = await users.recall(self.context, self.digest)
        except Unauthenticated:
            ui.navigate.to(sign_in_address(self.request))
            raise Left from None
        return await operation(self.context, user, *args, **kwargs)


def view(path: str, title: str, place: str) -> Callable[[Callable[..., Awaitable[None]]], Any]:
    """Make a view of a function of a visit and the path's variables; `place` is where in the menu it is."""

    def decorate(build: Callable[..., Awaitable[None]]) -> Any:
        @wraps(build)
        async def shown(request: Request, **found: Any) -> Any:
            context: Context = request.app.state.house.context
            digest = read_digest(context, request)
            try:
                user = await users.recall(context, digest or "")
            except Unauthenticated:
                return RedirectResponse(sign_in_address(request), 303)
            visit = Visit(context, str(digest), user, request)
            ui.on_exception(_tell)
            with _frame(visit, title, place):
                await _build(build, visit, found)
            return None

        own = list(inspect.signature(build).parameters.values())[1:]
        first = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
        shown.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]
        return ui.page(path, title=f"{title} · Swath", response_timeout=SLOWEST)(shown)

    return decorate


async def _build(build: Callable[..., Awaitable[None]], visit: Visit, found: dict[str, Any]) -> None:
    try:
        with suppress(Left):
            await build(visit, **found)
    except NotFound as error:
        ui.context.client.status_code = 404
        show(nothing("There is nothing here", *(message for _, message in error.fields), " ", _way_back()))
    except FieldError as error:
        ui.context.client.status_code = error.http_status
        show(nothing("This cannot be shown", "; ".join(message for _, message in error.fields)))
    except Exception as error:  # what the framework would show of it is for nobody's eyes
        ui.context.client.status_code = 500
        log.exception("view_failed", error=type(error).__name__)
        show(nothing("This cannot be shown", f"{FAILED} ", _way_back()))


def say_nowhere(path: str) -> None:
    """Answer addresses that no view has."""

    @view(path, "Nothing here", "")
    async def nowhere(visit: Visit, path: str) -> None:
        raise NotFound("path", f"There is nothing at /{path}.")


def _way_back() -> Markup:
    return link("See your executions", "/executions")


def _frame(visit: Visit, title: str, place: str) -> ui.element:
    """Draw the menu; return the place of the view's content."""
    ui.add_head_html(_HEAD)
    ui.dark_mode({"dark": True, "light": False}.get(visit.request.cookies.get("swath_theme", "")))
    with ui.header(wrap=False).classes("bar"):
        show(_write_bar(visit, place), "bar-inside")
    ui.query(".nicegui-content").classes("view")
    return ui.element("div").classes("view-inside").props("id=content tabindex=-1")


def _write_bar(visit: Visit, place: str) -> Markup:
    places = [link(name, path, aria_current="page" if path == place else None) for name, path in PLACES]
    leave = tag("form", tag("button", "Sign out", type="submit"), method="post", action="/sign-out")
    theme = tag(
        "button",
        tag("span", "Light or dark", class_="unseen"),
        type="button",
        class_="theme",
        title="Light or dark",
    )
    return Markup("").join(
        [
            link("Skip to the content", "#content", class_="skip"),
            link(Markup('<span class="mark" aria-hidden="true"></span>Swath'), "/", class_="home"),
            tag("nav", *places, aria_label="Main"),
            tag(
                "div",
                tag("span", visit.user.name, class_="who", title="Signed in as"),
                theme,
                leave,
                class_="own",
            ),
        ]
    )


class Place(ui.html, component="static/place.js"):
    """Markup in a view, escaped when it was made. What it is changed to alters only what differs."""


def show(content: Markup, classes: str = "", element: str = "div") -> Place:
    """Put markup into the view."""
    return Place(content, sanitize=False, tag=element).classes(classes)


def heading(title: str, *more: Any) -> None:
    """Write a view's heading, and beside it where it belongs."""
    show(tag("div", tag("h1", title), *more, class_="heading"))


def button(text: str, act: Callable[[], Any], kind: str = "") -> ui.button:
    """Draw a button. Of a double click, and of presses while its deed is under way, one counts."""
    is_busy = False

    async def press() -> None:
        nonlocal is_busy
        if is_busy:
            return
        is_busy = True
        try:
            if inspect.iscoroutine(result := act()):
                await result
        finally:
            is_busy = False

    drawn = ui.button(text, color=None).props("unelevated no-caps").classes(f"act {kind}")
    return drawn.on("click", press, js_handler="event => event.detail < 2 && emit()")


def keep_looking(
    every: float, look: Callable[[], Awaitable[None]], *, active: bool = True, immediate: bool = False
) -> ui.timer:
    """Look again every so many seconds; no more once what is looked at is gone, or the visitor's leave to."""

    async def look_once() -> None:
        try:
            await look()
        except (NotFound, Left):
            timer.deactivate()
            raise

    timer = ui.timer(every, look_once, active=active, immediate=immediate)
    return timer


class Busy:
    """A line that says what is under way; use it as a context for that. What takes no time shows none."""

    def __init__(self, text: str) -> None:
        self._place = show(badge("running", text), "busy").props('role="status"')
        self._place.set_visibility(False)

    def __enter__(self) -> None:
        self._place.set_visibility(True)

    def __exit__(self, *_: object) -> None:
        self._place.set_visibility(False)


def on_press(place: Place, name: str, act: Callable[[str], Any]) -> None:
    """Call `act` with the value of `data-name` of what is pressed inside markup."""
    inside = (
        f"event => {{ const of = event.target.closest('[data-{name}]'); if (of) emit(of.dataset.{name}); }}"
    )
    place.on("click", lambda event: act(str(event.args)), js_handler=inside)


def say(message: str) -> None:
    """Tell that something was done."""
    ui.notify(message, position="bottom", classes="note")


def lead(address: str, message: str) -> None:
    """Lead to a view, where it is told that something was done."""
    ui.run_javascript(f"leadTo({json.dumps(address)}, {json.dumps(message)})")


def _tell(error: Exception) -> None:
    """Say what went wrong in the visitor's words; what was not foreseen is in the log."""
    if isinstance(error, FieldError):
        complain(error)
    elif not isinstance(error, Left):
        log.error("view_failed", error=type(error).__name__)
        ui.notify(
            FAILED,
            type="negative",
            close_button="Close",
            timeout=0,
        )


def complain(error: FieldError) -> None:
    ui.notify(
        describe(error), type="negative", close_button="Close", timeout=0, multi_line=True, classes="note"
    )


def describe(error: FieldError) -> str:
    """Return an error as sentences, each with its field where that says more."""
    return "\n".join(
        message if field in ("id", "status", "body") else f"{field}: {message}"
        for field, message in error.fields
    )


def now() -> float:
    return time.time()
