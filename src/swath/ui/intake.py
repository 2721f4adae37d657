"""Texts and files that are given to a view. They come as uploads: its connection takes no large messages."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.ui.frame import show
from swath.ui.markup import size, tag

Take = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Way:
    """A button beside a pasted text: what stands on it, how it looks, what takes the text as a file."""

    text: str
    kind: str
    take: Take


def upload(text: str, take: Take, largest: int) -> None:
    """Draw a button by which a file is chosen and sent; `take` is told of it."""
    sender = _draw_sender(take, largest)
    chooser = ui.button(text, color=None).props("unelevated no-caps").classes("act")
    chooser.on("click", js_handler=f"event => runMethod({sender.id}, 'pickFiles', [event])")


def paste(label: str, ways: Mapping[str, Way], largest: int, *, rows: int) -> ui.element:
    """Draw a field for a text, and a button for each way; return the line of buttons, for more of them.

    The browser sends the text as a file when a button is pressed, and not before.
    """

    async def take(event: Any) -> None:
        await ways[event.file.name].take(event)

    place = show(Markup(), "pasted")
    with ui.element("div").classes("line") as line:
        sender = _draw_sender(take, largest)
        for name, way in ways.items():
            button = ui.button(way.text, color=None).props("unelevated no-caps")
            button.classes(f"act {way.kind}")
            button.on("click", js_handler=f"() => sendText('paste-{sender.id}', {sender.id}, '{name}')")
    field = tag("textarea", id=f"paste-{sender.id}", rows=rows, spellcheck="false", wrap="off", class_="mono")
    clear = tag("button", "Clear", type="button", class_="plain-link")
    note = tag("p", tag("span"), " ", clear, class_="hint", role="status", hidden=True)
    place.set_content(str(tag("label", label, for_=f"paste-{sender.id}") + field + note))
    return line


def _draw_sender(take: Take, largest: int) -> ui.upload:
    def refuse() -> None:
        ui.notify(f"Too large: {size(largest)} at most.", type="negative", close_button="Close", timeout=0)

    sender = ui.upload(on_upload=take, auto_upload=True, max_file_size=largest, on_rejected=refuse)
    return sender.classes("sender")
