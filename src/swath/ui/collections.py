"""Collections: the lists that variables take their values from."""

import asyncio
import contextlib
import csv
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote

from nicegui import ui

from swath.errors import FieldError, InvalidInput
from swath.operations import collections
from swath.operations.collections import CollectionView, Method
from swath.operations.context import Context
from swath.operations.executions import iso
from swath.store.spool import Spool
from swath.ui.derived import ask_result
from swath.ui.dialogs import Form
from swath.ui.frame import Visit, button, describe, lead, now, show, view
from swath.ui.intake import Way, paste, upload
from swath.ui.markup import code, facts, join, link, moment, nothing, number, several, table, tag
from swath.wire.uploads import Upload, format_of, read_upload

SHOWN = 200
#: Hits of a search that are shown at a time: few lists have more, so that their number is told.
HITS = 1_000
#: Characters of an item that are shown.
LONGEST = 1_000
_COLUMNS = ("Collection", "Items are", ("Items", "num"), "Changed")
_KINDS = {"text": "texts", "json": "JSON objects", None: "none yet"}
WAYS: dict[Method, str] = {"add": "Add", "remove": "Remove", "replace": "Replace all"}
#: Bytes of a file by whose beginning its columns are found, and of a whole file at most.
BEGINNING = 64 * 1024
LARGEST = 4 << 30


@view("/collections", "Collections", "/collections")
async def list_collections(visit: Visit, cursor: str | None = None) -> None:
    with ui.element("div").classes("heading"):
        show(tag("h1", "Collections"))
        with ui.element("div").classes("line push"):
            button("New collection…", lambda: _ask_new(visit), "primary")
    page = await visit.ask(collections.list_for, limit=SHOWN, cursor=cursor)
    if not page.objects:
        advice = (
            "A list of ids, names or objects, from which a workflow's variables take their values. "
            "Press New collection, then paste its items or upload them."
        )
        show(nothing("No collections yet", advice))
        return
    rows = [
        [
            link(each.name, f"/collections/{each.id}"),
            _KINDS[each.kind],
            number(each.count),
            moment(iso(each.updated_at), now()),
        ]
        for each in page.objects
    ]
    further = (
        link("Older collections", f"/collections?cursor={page.next_cursor}") if page.next_cursor else None
    )
    show(join([table("Collections", _COLUMNS, rows, "stacks"), further]))


def _ask_new(visit: Visit) -> None:
    async def create() -> None:
        made = await visit.ask(collections.create, name.value or "")
        ui.navigate.to(f"/collections/{made.id}")

    with Form("New collection", "Create", create):
        name = ui.input("Name").props("outlined dense autofocus")
        ui.label("Its items are pasted or uploaded next.").classes("hint")


@view("/collections/{collection_id}", "Collection", "/collections")
async def show_collection(
    visit: Visit, collection_id: str, search: str = "", cursor: str | None = None
) -> None:
    kept, values, more = await _find(visit, collection_id, search, cursor)
    ui.page_title(f"{kept.name} · Swath")
    show(link("Collections", "/collections"), "crumbs")
    with ui.element("div").classes("heading"):
        show(tag("h1", kept.name))
        with ui.element("div").classes("line push"):
            button("Rename…", lambda: _ask_rename(visit, kept))
            button("Delete…", lambda: _ask_delete(visit, kept), "danger")
    about = [
        ("Items", number(kept.count)),
        ("They are", _KINDS[kept.kind]),
        ("Changed", moment(iso(kept.updated_at), now())),
        ("Id", tag("code", kept.id, class_="id")),
    ]
    show(facts(about), "card")
    with ui.element("div").classes("pair"):
        with ui.element("section").classes("stack").props('aria-label="Items"'):
            _draw_search(kept, search)
            show(_write_items(kept, values, search, cursor, more))
        with ui.element("section").classes("stack").props('aria-label="Change the items"'):
            _draw_paste(visit, kept)
            _draw_upload(visit, kept)


async def _find(
    visit: Visit, collection_id: str, search: str, cursor: str | None
) -> tuple[CollectionView, list[str], str | None]:
    if search:
        return await visit.ask(collections.search, collection_id, search, limit=HITS, cursor=cursor)
    return await visit.ask(collections.read_some, collection_id, limit=SHOWN, cursor=cursor)


def _draw_search(kept: CollectionView, search: str) -> None:
    field = tag(
        "input",
        name="search",
        value=search,
        type="search",
        aria_label="Search the items",
        placeholder="Search the items",
    )
    show(
        tag(
            "form",
            field,
            tag("button", "Search", type="submit", class_="act-link"),
            action=f"/collections/{kept.id}",
            class_="line search",
        )
    )


def _write_items(
    kept: CollectionView, values: list[str], search: str, cursor: str | None, more: str | None
) -> Any:
    if not values and search:
        return nothing(f"No item contains “{search}”", link("Show all items", f"/collections/{kept.id}"))
    if not values:
        return nothing("No items yet", "Paste some, a line each, or upload a file.")
    query = f"search={quote(search)}&" if search else ""
    lines = [value if len(value) <= LONGEST else f"{value[:LONGEST]}…" for value in values]
    further = [
        link("From the first", f"/collections/{kept.id}?{query}") if cursor else None,
        link("Further items", f"/collections/{kept.id}?{query}cursor={more}") if more else None,
    ]
    told = tag("p", _say_hits(len(values), cursor, more), class_="hint") if search else None
    return join([told, code("\n".join(lines)), tag("p", join(further, " "), class_="further")])


def _say_hits(shown: int, cursor: str | None, more: str | None) -> str:
    if cursor is None and more is None:
        return f"{number(shown)} {'item matches' if shown == 1 else 'items match'}."
    return f"More than {number(HITS)} items match; {number(shown)} of them:"


# --- changing


def _draw_paste(visit: Visit, kept: CollectionView) -> None:
    show(tag("h2", "Paste"))

    async def change(method: Method, event: Any) -> None:
        told.set_text("")
        place = await _save(visit, event)
        if method == "replace" and not _begin(place).strip():
            place.unlink()
            _ask_empty(visit, kept)
            return
        try:
            await _apply(visit, kept, method, place, Upload(format=await asyncio.to_thread(_guess, place)))
        except FieldError as error:
            told.set_text(describe(error))
        finally:
            place.unlink(missing_ok=True)

    ways: dict[str, Way] = {
        way: Way(word, "primary" if way == "add" else "", partial(change, way)) for way, word in WAYS.items()
    }
    paste("Items, a line each; JSON objects likewise", ways, LARGEST, rows=6)
    told = ui.label().classes("alert").props('role="alert"')


def _ask_empty(visit: Visit, kept: CollectionView) -> None:
    async def empty() -> None:
        with Spool(_scratch(visit.context)) as nothing:
            await visit.ask(collections.change, kept.id, "replace", nothing)
        ui.navigate.to(f"/collections/{kept.id}")

    title = f"Take all {several(kept.count, 'item')} away?"
    with Form(title, "Take them away", empty, kind="danger", leave="Keep them"):
        ui.label("Nothing was pasted that could take their place.")


def _guess(place: Path) -> Any:
    return "jsonl" if _begin(place).lstrip()[:1] == "{" else "text"


async def _save(visit: Visit, event: Any) -> Path:
    """Save what was given to the view; return where."""
    file = NamedTemporaryFile(dir=_scratch(visit.context), suffix=".upload", delete=False)  # noqa: SIM115
    file.close()
    await event.file.save(place := Path(file.name))
    return place


async def _apply(visit: Visit, kept: CollectionView, method: Method, place: Path, upload: Upload) -> None:
    """Change a collection by what a file holds, and show it."""
    with place.open("rb") as data, Spool(_scratch(visit.context)) as spool:
        await asyncio.to_thread(read_upload, data, spool, upload)
        if not spool.count and method != "replace":
            raise InvalidInput("items", "There are none; give one a line.")
        new = await visit.ask(collections.change, kept.id, method, spool)
    told = f"{number(spool.count)} read: {number(kept.count)} items before, {number(new.count)} now."
    lead(f"/collections/{kept.id}", told)


def _scratch(context: Context) -> Path:
    return context.settings.data_dir / "scratch"


def _draw_upload(visit: Visit, kept: CollectionView) -> None:
    show(tag("h2", "From a file, or from rows"))

    async def take(event: Any) -> None:
        place = await _save(visit, event)
        ui.context.client.on_delete(lambda: place.unlink(missing_ok=True))
        _ask_columns(visit, kept, place, event.file.name)

    def done(new: CollectionView) -> None:
        lead(f"/collections/{kept.id}", f"{number(kept.count)} items before, {number(new.count)} now.")

    with ui.element("div").classes("line"):
        upload("Upload CSV, JSON lines or plain lines…", take, LARGEST)
        button("From a result…", lambda: ask_result(visit, kept, WAYS, done))


def _ask_columns(visit: Visit, kept: CollectionView, place: Path, name: str) -> None:
    """Ask which columns of a file are wanted, having shown how it begins."""
    kind = format_of("", name)
    columns, sample = _look(place) if kind in (None, "csv") else ([], _begin(place).splitlines()[:5])

    async def apply() -> None:
        upload = Upload(
            format=kind, columns=tuple(chosen.value or ()) if columns else (), header=bool(header.value)
        )
        await _apply(visit, kept, way.value, place, upload)
        await asyncio.to_thread(place.unlink, missing_ok=True)

    with Form(f"Items of {name}", "Take them", apply):
        show(code("\n".join(sample)))
        header = ui.checkbox("The first line names the columns", value=True)
        header.set_visibility(bool(columns))
        chosen = ui.select(
            columns, multiple=True, value=columns[:1], label="Columns: of one texts, of several objects"
        )
        chosen.props("outlined dense use-chips options-dense").set_visibility(bool(columns))
        way = ui.select(WAYS, value="add", label="What becomes of them").props("outlined dense options-dense")


def _begin(place: Path) -> str:
    with place.open("rb") as file:
        return file.read(BEGINNING).decode("utf-8-sig", "replace")


def _look(place: Path) -> tuple[list[str], list[str]]:
    """Return the columns that a CSV file's first line names, and its first lines."""
    text = _begin(place)
    lines = text.splitlines()[:5]
    with contextlib.suppress(csv.Error, StopIteration):
        delimiter = max(",;\t|", key=lines[0].count) if lines else ","
        return [name for name in next(_read(text, delimiter)) if name], lines
    return [], lines


def _read(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text), delimiter=delimiter)


def _ask_rename(visit: Visit, kept: CollectionView) -> None:
    async def rename() -> None:
        await visit.ask(collections.rename, kept.id, name.value or "")
        ui.navigate.reload()

    with Form("Rename the collection", "Rename", rename):
        name = ui.input("Name", value=kept.name).props("outlined dense autofocus")


def _ask_delete(visit: Visit, kept: CollectionView) -> None:
    async def delete() -> None:
        await visit.ask(collections.delete, kept.id)
        ui.navigate.to("/collections")

    with Form(f"Delete {kept.name}?", "Delete it", delete, kind="danger", leave="Keep it"):
        ui.label("Executions that were triggered keep the items they began with.")
