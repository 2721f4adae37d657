"""A new workflow from what another tool wrote: it is read, what is wanted of it is ticked, the rest left."""

import asyncio
from collections.abc import Callable
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.errors import FieldError
from swath.operations import imports
from swath.operations.imports import Imported
from swath.ui.editor import Editor
from swath.ui.frame import button, describe, show
from swath.ui.intake import Way, paste, upload
from swath.ui.markup import join, tag
from swath.ui.ticks import draw_ticks

#: Bytes of a file that is imported.
LARGEST = 64 << 20
#: What is no import: a formula itself, as a file or pasted.
FORMULA = "formula"
WORDS = {"curl": "cURL", "har": "HAR", "openapi": "OpenAPI", "postman": "Postman", "airbyte": "Airbyte"}
_ADVICE = {
    FORMULA: "Upload or paste a formula, in YAML or JSON.",
    "curl": "Paste a command as a browser's developer tools copy it: Network, a request, Copy as cURL.",
    "har": "Upload or paste a HAR file: developer tools, Network, Save all as HAR.",
    "openapi": "Upload or paste an OpenAPI 3 document.",
    "postman": "Upload or paste an exported Postman collection.",
    "airbyte": "Upload or paste the manifest of a low-code connector.",
}
_LOOK_OVER = "look it over below, try it, then save it."


def draw_import(editor: Editor, kind: str) -> None:
    """Draw where a source of a kind is given, and what is told of it."""
    show(tag("p", _ADVICE.get(kind, "Upload or paste it."), class_="hint"))
    word = WORDS.get(kind, kind)
    base_url = _draw_base_url() if kind == "openapi" else lambda: ""

    async def take(event: Any) -> None:
        text = (await event.file.read()).decode("utf-8-sig", "replace")
        choice.clear()
        if kind == FORMULA:
            editor.replace(text, {})
            tell(f"Read; {_LOOK_OVER}")
            return
        try:
            imported = await asyncio.to_thread(imports.read, kind, text, base_url())
        except FieldError as error:
            notes.set_content(str(tag("p", describe(error), class_="alert", role="alert")))
            return
        endpoints = list(imported.formula["endpoints"])
        # Who pastes commands has chosen them.
        if kind == "curl" or len(endpoints) == 1:
            await put(imported, endpoints)
            return
        with choice:
            _draw_choice(imported, put)
        tell("Read; tick what of it you want.")

    async def put(imported: Imported, only: list[str]) -> None:
        found = await asyncio.to_thread(imports.show, imported, only)
        editor.replace(found["formula"], found["secrets"])
        tell(f"Read; {_LOOK_OVER}", *found["notes"])

    def tell(what: str, *lines: str) -> None:
        listed = tag("ul", *(tag("li", line) for line in lines)) if lines else None
        notes.set_content(str(join([tag("p", what, class_="quiet", role="status"), listed])))

    ways = {kind: Way(f"Read the {word}", "primary", take)}
    with paste(f"Paste {word} here", ways, LARGEST, rows=5):
        upload("Upload a file…", take, LARGEST)
    choice = ui.element("div").classes("stack")
    notes = show(Markup())


def _draw_base_url() -> Callable[[], str]:
    field = ui.input("Base URL, if the document does not say it", placeholder="https://host/v1")
    field.props("outlined dense")
    return lambda: str(field.value or "").strip()


def _draw_choice(imported: Imported, put: Callable[[Imported, list[str]], Any]) -> None:
    """Draw the endpoints with a tick each; at first those have one that a workflow is over."""
    endpoints = imported.formula["endpoints"]
    names = list(endpoints)
    over = {each["endpoint"] for each in imported.formula.get("workflows", {}).values()} or set(names)
    labels = [
        join([tag("b", name), tag("code", f"{each.get('method', 'GET')} {each['url']}")], " ")
        for name, each in endpoints.items()
    ]

    async def take() -> None:
        await put(imported, [names[n] for n in ticked])

    def follow(now_ticked: list[int]) -> None:
        ticked[:] = now_ticked
        act.set_text(f"Take {len(ticked)} of {len(names)}")
        act.set_enabled(bool(ticked))

    ticked: list[int] = []
    first = [n for n, name in enumerate(names) if name in over]
    with draw_ticks("Endpoints to take", labels, first, follow):
        act = button("", take, "primary")
        act.move(target_index=0)
    follow(first)
