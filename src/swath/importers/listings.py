"""The pages of one listing among recorded requests, and the paginator that they speak for."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from swath.errors import ItemFailed
from swath.flow.definition import Json, Paginator
from swath.flow.paging import Page, pager_for
from swath.flow.paging.records import asked_size, choose_array, read_count
from swath.flow.paging.suggestion import Suggestion, paging_kind, suggest
from swath.importers.addresses import is_address, name_of
from swath.importers.hints import hints
from swath.importers.holes import identifier
from swath.importers.imported import Draft
from swath.importers.recorded import Recorded
from swath.importers.sent import build_endpoint


def group_pages(requests: Iterable[Recorded]) -> list[list[Recorded]]:
    """Return the requests by listing, those with the most rows first, each request once."""
    groups: dict[tuple[str, ...], list[Recorded]] = {}
    for request in requests:
        pages = groups.setdefault(request.listing, [])
        if all(request.parameters != known.parameters for known in pages):
            pages.append(request)
    return sorted(groups.values(), key=lambda pages: -max(map(_count_rows, pages)))


def _count_rows(request: Recorded) -> int:
    found = choose_array(request.answer.body) if request.answer else None
    return len(found[1]) if found else 0


def add_listing(pages: Sequence[Recorded], draft: Draft) -> None:
    """Add an endpoint and a workflow for the pages of one listing, with what speaks for its paginator."""
    first = min(pages, key=_place)
    suggestion = find_paginator([first, *(page for page in pages if page is not first)])
    paginator: dict[str, Json] = {}
    request = first
    if suggestion is not None:
        request, paginator = _apply(first, suggestion.paginator)
    url = request.written().url
    name = draft.add_endpoint(first.name or name_of(url), build_endpoint(request.written(), draft))
    if name is None:
        return
    if suggestion is not None:
        draft.note(explain(name, suggestion))
    elif len(pages) > 1:
        draft.note(f"{name}: {len(pages)} pages were recorded, but nothing says how one leads to the next.")
    draft.add_workflow(name, name, {**request.settings, "paginator": paginator})
    if suggestion is None:
        draft.note(*hints(name, draft.endpoints[name]))


def explain(name: str, suggestion: Suggestion) -> str:
    """Return the sentence that tells a paginator's evidence."""
    return f"{name} pages by {suggestion.paginator.type}: {'; '.join(suggestion.evidence)}."


def _place(page: Recorded) -> tuple[int, int]:
    """Order pages: those without a cursor first, then by number."""
    values = page.paging.values()
    numbers = [number for value in values if (number := read_count(value)) is not None]
    tokens = sum(1 for name, value in page.paging.items() if value and paging_kind(name) == "cursor")
    return tokens, sum(numbers)


def _apply(request: Recorded, paginator: Paginator) -> tuple[Recorded, dict[str, Json]]:
    """Put the paginator's variable into the request, and write the paginator as a formula does."""
    if paginator.variable is not None:
        variable = identifier(paginator.variable)
        request = request.paged(paginator.variable, variable)
        paginator = replace(paginator, variable=variable)
    return request, write_paginator(paginator)


def write_paginator(paginator: Paginator) -> dict[str, Json]:
    """Return a paginator as a formula holds it: what differs from the defaults."""
    usual: dict[str, Any] = msgspec.to_builtins(Paginator())
    written: dict[str, Any] = msgspec.to_builtins(paginator)
    return {name: value for name, value in written.items() if value != usual[name] or name == "type"}


def find_paginator(pages: Sequence[Recorded]) -> Suggestion | None:
    """Return the paginator that the first page's answer and the requests for later pages speak for."""
    first = pages[0]
    answer = first.answer if first.answer and is_address(first.answer.url) else None
    found = suggest(answer, list(first.parameters)) if answer else []
    if len(pages) == 1:
        return found[0] if found else None
    for suggestion in found:
        for later in pages[1:]:
            if (confirmed := _confirm(suggestion, first, later)) is not None:
                return confirmed
    return _count(pages)


def _confirm(suggestion: Suggestion, first: Recorded, later: Recorded) -> Suggestion | None:
    """Return the suggestion where it is what led from the first page to a later one."""
    paginator = suggestion.paginator
    if paginator.type in ("page_number", "offset"):
        name = paginator.variable or ""
        before, after = read_count(first.parameters.get(name)), read_count(later.parameters.get(name))
        grew = after is not None and after > (before or 0)
        told = (f"a later request has {name}={after}",)
        return Suggestion(paginator, suggestion.evidence + told) if grew else None
    state = _advance(paginator, first.answer)
    if state.get("url") == later.url:
        return Suggestion(paginator, (*suggestion.evidence, "the next request went there"))
    for name, value in later.paging.items():
        if "cursor" in state and str(state["cursor"]) == str(value):
            evidence = (
                suggestion.evidence[0],
                f"the next request sent it as {name}",
                *suggestion.evidence[2:],
            )
            return Suggestion(replace(paginator, variable=name), evidence)
    return None


def _advance(paginator: Paginator, page: Page | None) -> dict[str, Json]:
    try:
        return (pager_for(paginator).advance({}, page, 0) if page else None) or {}
    except ItemFailed:
        return {}


def _count(pages: Sequence[Recorded]) -> Suggestion | None:
    """Judge by the requests alone: a number that grows from page to page."""
    for name in dict.fromkeys(name for page in pages for name in page.paging):
        kind = paging_kind(name)
        numbers = sorted({read_count(page.parameters.get(name)) or 0 for page in pages})
        if kind not in ("page_number", "offset") or len(numbers) < 2:
            continue
        evidence = (f"the requests have {name}={', '.join(map(str, numbers))}",)
        if kind == "offset":
            limit = asked_size(pages[0].url) or numbers[1] - numbers[0]
            return Suggestion(Paginator(type="offset", variable=name, limit=limit), evidence)
        return Suggestion(Paginator(type="page_number", variable=name, start=numbers[0]), evidence)
    return None
