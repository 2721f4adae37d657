"""The files of an execution: what there is to download, other formats of it, and its manifest."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

from markupsafe import Markup
from nicegui import ui

from swath.errors import Conflict
from swath.flow.definition import OutputFormat
from swath.flow.files.packing import ARCHIVE
from swath.flow.recipe import Recipe
from swath.operations import combinations, executions
from swath.ui.dialogs import Form
from swath.ui.execution import has_ended, open_execution, say_wait, watch
from swath.ui.frame import Visit, button, keep_looking, now, say, show, view
from swath.ui.markup import badge, code, join, link, moment, number, size, table, tag

LOOK_EVERY = 1.0
_COLUMNS = (
    "File",
    "Collection",
    "Format",
    ("Rows", "num"),
    ("Columns", "num"),
    ("Size", "num"),
    "SHA-256",
)


@view("/executions/{execution_id}/files", "Files", "/executions")
async def show_files(visit: Visit, execution_id: str) -> None:
    execution = await open_execution(visit, execution_id, "/files")
    if not has_ended(execution):
        say_wait("files")
        await watch(visit, execution, [_reload_at_end])
        return
    with ui.element("div").classes("line spread"):
        show(tag("h2", "Files to download"))
        button("Make other files…", lambda: _ask_recipe(visit, execution_id, wake))
    files, making = show(write_files(execution)), show(Markup())
    show(await _write_manifest(visit, execution_id))

    asked = 0

    def wake() -> None:
        nonlocal asked
        asked += 1
        timer.activate()

    async def look() -> None:
        before = asked
        waiting = await visit.ask(combinations.list_for, execution_id)
        making.set_content(str(_write_combinations(waiting)))
        files.set_content(str(write_files(await visit.ask(executions.show, execution_id))))
        # What was asked for while it looked is yet to be seen.
        timer.active = asked > before or any(each["completed_at"] is None for each in waiting)

    timer = keep_looking(LOOK_EVERY, look, immediate=True)


def _reload_at_end(new: Mapping[str, Any]) -> None:
    if new["completed_at"]:
        ui.navigate.reload()


def write_files(execution: Mapping[str, Any]) -> Markup:
    rows = [
        [
            link(file["name"], file["url"], download=True),
            *_write_content(file),
            tag("span", size(file["bytes"]), title=f"{number(file['bytes'])} bytes"),
            tag("code", file["sha256"][:12] + "…", title=file["sha256"]),
        ]
        for file in execution["results"]
    ]
    hint = "Whoever has the address of a file can download it, without a token."
    return join([table("Files", _COLUMNS, rows, "stacks"), tag("p", hint, class_="hint")])


def _write_content(file: Mapping[str, Any]) -> list[Any]:
    """Return the cells that say what is in a file: collection, format, rows and columns."""
    if file["format"] == ARCHIVE:
        return [tag("span", "all of these files", class_="quiet"), ARCHIVE, "–", "–"]
    name = file["collection"] or tag("span", "root", class_="quiet")
    return [name, file["format"], number(file["rows"]), number(file["columns"])]


def _write_combinations(found: list[dict[str, Any]]) -> Markup:
    lines = [
        tag(
            "li",
            f"Revision {each['revision']}, {each['recipe']['output_aggregation_format']}: ",
            badge("failed" if each["error"] else "complete" if each["completed_at"] else "running"),
            " ",
            each["error"] or moment(each["completed_at"] or each["created_at"], now()),
        )
        for each in found
    ]
    return join([tag("h3", "Made afterwards"), tag("ul", *lines)]) if lines else Markup()


async def _write_manifest(visit: Visit, execution_id: str) -> Markup:
    try:
        manifest = await visit.ask(executions.manifest, execution_id)
    except Conflict:
        return Markup()
    written = json.dumps(manifest, indent=2, ensure_ascii=False)
    return tag("details", tag("summary", "Manifest"), code(written, "json"))


def _ask_recipe(visit: Visit, execution_id: str, wake: Callable[[], None]) -> None:
    async def combine() -> None:
        def revise(recipe: Recipe) -> Recipe:
            return replace(
                recipe,
                output_aggregation_format=chosen.value,
                spreadsheet_safe=bool(safe.value),
                include_inputs=bool(inputs.value),
            )

        await visit.ask(combinations.combine, execution_id, revise)
        say("The files are being made of what was fetched; nothing is requested again.")
        wake()

    with Form("Make other files of what was fetched", "Make them", combine):
        ui.label("Nothing is requested again. The files there are stay where they are.").classes("hint")
        chosen = ui.select(list(get_args(OutputFormat)), value="parquet", label="Format")
        chosen.props("outlined dense options-dense")
        inputs = ui.checkbox("With the inputs of each row", value=True)
        safe = ui.checkbox(
            "Safe to open in a spreadsheet: texts that would run as formulas get an apostrophe"
        )
