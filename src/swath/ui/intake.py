"""Texts and files that are given to a view. They come as uploads: its connection takes no large messages."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.ui.frame import Busy, show
from swath.ui.markup import size, tag

Take = Callable[[Any], Awaitable[None]]

#: What is seen of a file on its way, and of one that did not arrive.
_SENDING = """
<template v-for="file in props.files" :key="file.__key">
  <div v-if="file.__status === 'uploading'" class="sending">
    <q-linear-progress :value="file.__progress" role="progressbar" aria-label="Sent" />
    <span>{{ file.__progressLabel }} of {{ file.__sizeLabel }} sent</span>
  </div>
  <div v-if="file.__status === 'failed'" class="sending alert" role="alert">
    It did not reach the server.
    <button type="button" class="plain-link" @click="props.upload()">Send it again</button>
  </div>
</template>"""


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
    chooser.on("click", js_handler=f"event => chooseFile({sender.id}, event)")


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
    """Draw what sends files, seen only while it does; then until what was sent is dealt with."""

    def refuse() -> None:
        ui.notify(f"Too large: {size(largest)} at most.", type="negative", close_button="Close", timeout=0)

    async def receive(event: Any) -> None:
        with busy:
            await take(event)

    sender = ui.upload(on_upload=receive, auto_upload=True, max_file_size=largest, on_rejected=refuse)
    sender.add_slot("header", "<q-uploader-add-trigger />")  # what opens the choice of files
    sender.add_slot("list", _SENDING)
    # It refuses a file that it has: one that was sent may be chosen again.
    sender.on("uploaded", js_handler=f"() => runMethod({sender.id}, 'removeUploadedFiles', [])")
    busy = Busy("Taking it in…")
    return sender.classes("sender")
