"""Paginators: strategies, where the token goes, and what a condition to stop says."""

import re
from typing import Any, Final

from swath.flow.definition import Json
from swath.importers.airbyte.interpolation import Interpolation, read_path
from swath.importers.airbyte.requests import Draw
from swath.importers.holes import hole, identifier

Node = dict[str, Any]

_LINK: Final = re.compile(r"""headers(?:\.get\(|\[|\.)\s*['"]?[Ll]ink\b""")
_LAST: Final = re.compile(
    r"""\{\{\s*(?:last_record|last_records\[-1\])((?:\.\w+|\[\s*['"][^'"]+['"]\s*\])+)\s*\}\}"""
)
_NOT: Final = re.compile(
    r"\{\{\s*(?:not\s+(?P<a>.+?)|(?P<b>.+?)\s*(?:==|is)\s*(?:false|False|none|None|null|''|\"\"|\{\})|(?P<c>.+?)\s+is\s+not\s+true)\s*\}\}"
)
_SIZE: Final = re.compile(r"last_page_size|(?:last_records|response[\w.\[\]'\"]*)\s*\|\s*(?:length|count)")


def read_paginator(given: Json, draw: Draw, record_path: str, interpolation: Interpolation) -> Node:
    """Put the page's variable and size into the request, and return our paginator; empty for one page."""
    known = given if isinstance(given, dict) else {}
    kind = str(known.get("type") or "NoPagination")
    if kind == "NoPagination":
        return {}
    strategy = known.get("pagination_strategy")
    if kind != "DefaultPaginator" or not isinstance(strategy, dict):
        interpolation.note(f"The paginator {kind} was left out: choose one of ours.")
        return {}
    size = _add_size(known, strategy, draw, interpolation)
    found = _read_strategy(known, strategy, size, draw, record_path, interpolation)
    if found and record_path:
        found["record_path"] = record_path
    return found


def _add_size(known: Node, strategy: Node, draw: Draw, interpolation: Interpolation) -> Json:
    size = interpolation.write(strategy.get("page_size"), "page_size")
    option = known.get("page_size_option")
    if size is not None and isinstance(option, dict):
        draw.inject(option, size, interpolation, "limit")
    text = str(size)
    return int(text) if text.isdigit() else None


def _read_strategy(
    known: Node, strategy: Node, size: Json, draw: Draw, record_path: str, interpolation: Interpolation
) -> Node:
    kind = strategy.get("type")
    option = known.get("page_token_option")
    option = option if isinstance(option, dict) else {}
    if kind == "PageIncrement":
        variable = _place(option, draw, interpolation, "page")
        start = strategy.get("start_from_page", 0)
        _note_first(strategy, variable, start, interpolation)
        return {"type": "page_number", "variable": variable, **({} if start == 1 else {"start": start})}
    if kind == "OffsetIncrement":
        variable = _place(option, draw, interpolation, "offset")
        _note_first(strategy, variable, 0, interpolation)
        return {"type": "offset", "variable": variable, **({"limit": size} if size else {})}
    if kind == "CursorPagination":
        return _read_cursor(strategy, option, draw, record_path, interpolation)
    interpolation.note(f"The pagination strategy {kind} was left out: choose one of our paginators.")
    return {}


def _note_first(strategy: Node, variable: str, first: Json, interpolation: Interpolation) -> None:
    if not strategy.get("inject_on_first_request"):
        interpolation.note(f"The first request says {variable}={first} too, where Airbyte leaves it out.")


def _place(option: Node, draw: Draw, interpolation: Interpolation, default: str) -> str:
    """Put the page's variable where the option says, and return its name."""
    if not option or option.get("type") == "RequestPath":
        draw.query[default] = hole(default)
        return default
    path = option.get("field_path")
    name = str(path[-1]) if isinstance(path, list) and path else str(option.get("field_name") or default)
    variable = identifier(name)
    draw.inject(option, hole(variable), interpolation, default)
    return variable


def _read_cursor(
    strategy: Node, option: Node, draw: Draw, record_path: str, interpolation: Interpolation
) -> Node:
    value = str(strategy.get("cursor_value") or "")
    is_path = option.get("type") == "RequestPath"
    path, header = read_path(value, "response"), read_path(value, "headers")
    last = _LAST.fullmatch(value.strip())
    if _LINK.search(value):
        return {"type": "header_link"}
    if is_path and path:
        return {"type": "next_url", "next_url_path": path, **_more(strategy, path, interpolation)}
    if last and not is_path:
        inner = read_path("{{ record" + last[1] + " }}", "record")
        path = f"{record_path}[-1].{inner}" if record_path else f"[-1].{inner}"
    if (path is None and header is None) or is_path:
        interpolation.note(f"The cursor {value!r} was left out: choose one of our paginators.")
        return {}
    variable = _place(option, draw, interpolation, "cursor")
    if header is not None:
        return {"type": "header_cursor", "header": header, "variable": variable}
    more = _more(strategy, path or "", interpolation)
    return {"type": "cursor", "cursor_path": path, "variable": variable, **more}


def _more(strategy: Node, cursor: str, interpolation: Interpolation) -> Node:
    """Return what the condition to stop says of a flag in the answer, if it is one."""
    condition = strategy.get("stop_condition")
    if not isinstance(condition, str) or not condition.strip():
        return {}
    found = _NOT.fullmatch(condition.strip())
    inside = next((each for each in found.groups() if each), "") if found else ""
    path = read_path("{{ " + inside + " }}", "response")
    if path is not None:
        return {} if path == cursor else {"has_more_path": path}
    if not _SIZE.search(condition):  # an empty page ends an item by itself
        interpolation.note(f"The condition to stop was left out: {condition!r}.")
    return {}
