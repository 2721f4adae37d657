"""What trying a workflow showed: the requests and their answers, the tables that they make, an estimate."""

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from swath.flow.rows.names import ROOT_NAME
from swath.operations.previews import Preview
from swath.ui.markup import code, join, nothing, sentence, several, shorten, size, stretch, table, tag
from swath.ui.rows import LISTS, say_rows

#: Columns of a sample that are shown.
WIDEST = 40


def write_start() -> Markup:
    return nothing("Try it", "Sends the first request of a few items and shows what comes. Nothing is kept.")


def write_trial(seen: Preview, *, is_paged: bool = False) -> Markup:
    """Return what a try showed; paginators first, unless the formula has one."""
    warnings = [tag("p", text, class_="warning") for text in seen.warnings]
    return join(
        [
            *warnings,
            None if is_paged else _write_paginators(seen.paginators),
            _write_estimate(seen),
            tag("p", LISTS, class_="hint") if len(seen.collections) > 1 else None,
            *(_write_collection(each) for each in seen.collections),
            _write_paginators(seen.paginators) if is_paged else None,
            *(_write_request(each, place) for place, each in enumerate(seen.requests)),
        ]
    )


def _write_estimate(seen: Preview) -> Markup:
    return tag("p", write_estimate(seen), class_="estimate")


def write_estimate(seen: Preview) -> str:
    """Say what a whole execution would be."""
    found = seen.estimate
    if found is None:
        return f"{several(seen.items, 'input item')}."
    least = "at least " if found.at_least else ""
    return (
        f"{several(found.items, 'input item')}: {least}{several(round(found.requests), 'request')}, "
        f"{several(round(found.rows), 'row')}, {size(found.bytes)}, "
        f"{stretch(found.seconds) if found.seconds >= 1 else 'less than a second'}."
    )


def _write_request(each: Mapping[str, Any], place: int) -> Markup:
    status = each.get("status_code")
    told = tag("span", status or each.get("error_code", ""), class_=f"badge is-{str(status or 5)[0]}")
    line = tag("span", tag("b", each.get("method", "")), " ", tag("code", each.get("url", "")))
    answer = f"{size(each['bytes'])} in {each['elapsed']} s" if status else ""
    fault = tag("p", sentence(each["message"]), class_="alert") if each.get("error_code") else None
    headers = "\n".join(f"{name}: {value}" for name, value in each.get("headers") or [])
    sent = f"{headers}\n\n{each['body']}" if each.get("body") else headers
    inside = [
        tag("p", "With ", tag("code", json.dumps(each["inputs"], ensure_ascii=False)), class_="quiet"),
        fault,
        tag("details", tag("summary", "Request"), code(sent)) if sent else None,
        tag("details", tag("summary", "Answer"), code(_indent(each["response_text"])), open=place == 0)
        if status
        else None,
    ]
    return tag(
        "article",
        tag("p", told, " ", line, " ", tag("span", answer, class_="quiet")),
        *inside,
        class_="card tried",
    )


def _indent(text: str) -> str:
    """Return JSON in lines; what is cut off or no JSON as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _write_collection(each: Mapping[str, Any]) -> Markup:
    columns = each["columns"][:WIDEST]
    rows = [[_write_cell(row.get(column)) for column in columns] for row in each["rows"]]
    counted = tag(
        "span", f"{several(each['total'], 'row')}, {several(len(each['columns']), 'column')}", class_="quiet"
    )
    heading = tag("h3", each["name"] or "root", " ", counted)
    about = tag("p", say_rows(ROOT_NAME), class_="hint") if each["name"] == ROOT_NAME else None
    sample = table(f"Sample rows of {each['name']}", columns, rows, "sample-rows")
    return tag("section", heading, about, sample)


def _write_cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(text, 80)


def _write_paginators(found: list[dict[str, Any]]) -> Markup:
    """Return the paginators that the answers speak for, each with a button that takes it."""
    if not found:
        return Markup()
    lines = [
        tag(
            "li",
            tag("button", "Use it", type="button", class_="plain-link", data_use=place),
            " ",
            tag("code", _say_paginator(each["paginator"])),
            " ",
            tag("span", "; ".join(each["evidence"]), class_="quiet"),
        )
        for place, each in enumerate(found)
    ]
    return tag("section", tag("h3", "How its pages may follow"), tag("ul", *lines, class_="plain"))


def _say_paginator(paginator: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{name}: {value}" for name, value in paginator.items() if name != "type")
    kind = str(paginator.get("type", "")).replace("_", " ")
    return f"{kind} ({rest})" if rest else kind
