"""Dialogs: a question with fields, and errors said beside them until they are mended."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from nicegui import ui

from swath.errors import FieldError
from swath.flow.definition import ProxyChoice
from swath.operations import proxies
from swath.ui.frame import Busy, Visit, button, describe, show
from swath.ui.markup import tag

KEEP = "As it is"
DIRECT = "Direct, without a proxy"
CUSTOM = "A proxy of your own, by its URL"


class Form:
    """A dialog that stays open while what it does is refused. Use it as a context for its fields.

    A click beside it leaves it open: it may be the second of a double click, or cost what was written.
    """

    def __init__(
        self,
        title: str,
        does: str,
        act: Callable[[], Awaitable[None]],
        *,
        kind: str = "primary",
        leave: str = "Close",
    ) -> None:
        self._does, self._act, self._kind, self._leave = does, act, kind, leave
        with ui.context.client.content:  # not in the dialog that asked for this one: that one goes
            self._dialog = ui.dialog(value=True).props("no-backdrop-dismiss")
        self._dialog.on("hide", self._dialog.delete)
        self._dialog.props["aria-label"] = title
        with self._dialog:
            self._card = ui.card().classes("dialog")
        with self._card:
            show(tag("h2", title))
        self._alert: ui.label | None = None
        self._busy: Busy | None = None
        self._is_done = False

    def __enter__(self) -> Self:
        self._card.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alert = ui.label().classes("alert").props('role="alert"')
        self._busy = Busy("Working…")
        with ui.element("div").classes("line deeds"):
            button(self._does, self._try, self._kind)
            button(self._leave, self._dialog.close)
        self._card.__exit__(kind, error, trace)

    async def _try(self) -> None:
        assert self._alert is not None
        assert self._busy is not None
        if self._is_done:  # pressed again before the browser knew
            return
        self._alert.set_text("")
        try:
            with self._busy:
                await self._act()
        except FieldError as error:
            self._alert.set_text(describe(error))
        else:
            self._is_done = True
            self._dialog.close()


def choose_proxy(visit: Visit, *, keep: bool = False) -> Callable[[], ProxyChoice | None]:
    """Draw the choice of a way out; return what tells the choice that was made."""
    options = {"": KEEP if keep else DIRECT, "custom": CUSTOM}
    choice = ui.select(options, value="", label="Proxy").props("outlined dense options-dense")
    url = ui.input("Proxy URL", placeholder="http://user:password@host:port").props("outlined dense")
    url.bind_visibility_from(choice, "value", value="custom")

    async def fill() -> None:
        page = await visit.ask(proxies.list_for, limit=1_000, cursor=None)
        for proxy in sorted(page.objects, key=lambda each: (each.type, each.location)):
            options[f"{proxy.type} {proxy.location}"] = f"{proxy.type.title()} in {proxy.location}"
        choice.set_options(options)

    ui.timer(0.05, fill, once=True)

    def read() -> ProxyChoice | None:
        if not choice.value:
            return None
        if choice.value == "custom":
            return ProxyChoice(type="custom", url=url.value or "")
        kind, _, location = str(choice.value).partition(" ")
        return ProxyChoice(type="shared" if kind == "shared" else "dedicated", location=location)

    return read
