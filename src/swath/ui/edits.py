"""What a form's fields do to a formula: each returns an edit of its endpoint and its workflow."""

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from swath.errors import FieldError
from swath.flow.definition import Operator
from swath.flow.formula import SourceText
from swath.ui.sheet import Edit, read_lines

_USED = re.compile(r"\{\{-?\s*([A-Za-z_]\w*)")
_FILTER = re.compile(
    r"(\S+)\s+(" + "|".join(map(re.escape, sorted(get_args(Operator), key=len, reverse=True))) + r")\s*(.*)"
)


def put(place: dict[str, Any], name: str, value: Any) -> None:
    """Set a key, or take it away where there is nothing to say."""
    if value in (None, "", {}, []):
        place.pop(name, None)
    else:
        place[name] = value


def set_endpoint(name: str, default: Any = None) -> Callable[[Any], Edit]:
    return lambda value: lambda endpoint, _: put(endpoint, name, None if value == default else value)


def set_endpoint_lines(name: str) -> Callable[[Any], Edit]:
    return lambda value: lambda endpoint, _: put(endpoint, name, _read_values(value))


def _read_values(text: str | None) -> dict[str, Any]:
    return {name: _read_value(str(value)) for name, value in read_lines(text or "").items()}


def edit_body(text: str) -> Edit:
    """Take a body that is a mapping; what is being typed and is none yet changes nothing."""
    try:
        value = SourceText(text or "").value
    except FieldError:
        return lambda endpoint, _: None
    return lambda endpoint, _: put(endpoint, "body", value) if isinstance(value, dict | None) else None


def set_workflow(name: str, default: Any = None) -> Callable[[Any], Edit]:
    return lambda value: lambda _, workflow: put(workflow, name, None if value == default else value)


def set_workflow_number(name: str) -> Callable[[Any], Edit]:
    return lambda value: lambda _, workflow: put(workflow, name, whole(value))


def whole(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def use_paginator(paginator: Mapping[str, Any]) -> Edit:
    """Take a paginator; a variable of it that no template uses yet becomes a parameter of the query."""

    def edit(endpoint: dict[str, Any], workflow: dict[str, Any]) -> None:
        put(workflow, "paginator", dict(paginator))
        name = paginator.get("variable")
        if name and name not in names_used(endpoint):
            endpoint["query"] = {**(endpoint.get("query") or {}), name: f"{{{{{name}}}}}"}
            variables = endpoint.setdefault("variables", {})
            variables[name] = {**(variables.get(name) or {}), "default": ""}

    return edit


def names_used(endpoint: Mapping[str, Any]) -> list[str]:
    """Return the variables that an endpoint's templates use."""
    return _USED.findall(str([endpoint.get(key) for key in ("url", "query", "headers", "body")]))


def write_filters(filters: list[Any]) -> str:
    """Return filters as lines: path, operator, value."""
    return "\n".join(_write_filter(each) for each in filters if isinstance(each, dict))


def _write_filter(each: dict[str, Any]) -> str:
    value = each.get("value")
    written = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return f"{each.get('path', '')} {each.get('op', '=')} {written}".strip()


def edit_filters(text: str) -> Edit:
    """Take filters from lines; what is no operator stays, so that the check of the formula can say so."""
    filters = [_read_filter(line.strip()) for line in (text or "").splitlines() if line.strip()]
    return lambda _, workflow: put(workflow, "filters", filters)


def _read_filter(line: str) -> dict[str, Any]:
    hit = _FILTER.match(line)
    path, op, value = hit.groups() if hit else (*line.split(maxsplit=2), "", "")[:3]
    found = {"path": path, "op": op or "exists"}
    return found | ({"value": _read_value(value)} if value else {})


def _read_value(text: str) -> Any:
    """Return a list where a list is written, else the text itself."""
    if text.startswith("["):
        with contextlib.suppress(ValueError):
            return json.loads(text)
    return text
