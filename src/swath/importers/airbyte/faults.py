"""Error handlers: what answers mean, and how often and long a request is tried; filters of records."""

import ast
import re
from collections.abc import Iterator
from typing import Any, Final

from swath.flow.definition import Json
from swath.importers.airbyte.interpolation import Interpolation, read_path
from swath.importers.documents import objects

Node = dict[str, Any]

_ACTIONS: Final = {
    "SUCCESS": "success",
    "FAIL": "fail_item",
    "RETRY": "retry",
    "IGNORE": "ignore",
    "RATE_LIMITED": "rate_limited",
    "REFRESH_TOKEN_THEN_RETRY": "refresh_auth",
    "RESET_PAGINATION": "retry",
}
_COMPARISON: Final = re.compile(r"(.+?)\s*(==|!=|<=|>=|<|>|\bnot in\b|\bin\b)\s*(.+)")
_OPERATORS: Final = {
    "==": "=",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "in": "in",
    "not in": "not_in",
}
#: Headers that Swath heeds by itself.
_HEEDED: Final = re.compile(
    r"^(?:retry-after|x-?rate-?limit-?(?:reset|retry-after).*|ratelimit-reset)$", re.IGNORECASE
)


def read_rules(given: Json, interpolation: Interpolation) -> Node:
    """Return `response_rules` and `retry` of an error handler."""
    rules: list[Node] = []
    retry: Node = {}
    for handler in _handlers(given, interpolation):
        for each in objects(handler.get("response_filters")):
            rules += _read_filter(each, interpolation)
        tries = handler.get("max_retries")
        if str(tries).isdigit():
            retry["max_attempts"] = min(int(str(tries)) + 1, 100)
        for strategy in objects(handler.get("backoff_strategies")):
            _read_backoff(strategy, retry, interpolation)
    return {"response_rules": rules, "retry": retry}


def _handlers(given: Json, interpolation: Interpolation) -> Iterator[Node]:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "CompositeErrorHandler":
        for each in objects(given.get("error_handlers")):
            yield from _handlers(each, interpolation)
    elif kind == "DefaultErrorHandler":
        yield given
    elif kind:
        interpolation.note(f"The error handler {kind} was left out: write response_rules for what it does.")


def _read_filter(given: Node, interpolation: Interpolation) -> list[Node]:
    """Return a rule for each condition of a filter, for one of them suffices."""
    action = _ACTIONS.get(str(given.get("action") or "").upper())
    if given.get("action") == "RESET_PAGINATION":
        interpolation.note("Paging is not begun anew after an error: the request is tried again.")
    codes = given.get("http_codes")
    conditions: list[Node] = []
    if codes:
        listed = [
            int(str(code)) for code in (codes if isinstance(codes, list) else [codes]) if str(code).isdigit()
        ]
        conditions.append({"status": listed if len(listed) != 1 else listed[0]})
    if given.get("error_message_contains"):
        conditions.append({"body_contains": str(given["error_message_contains"])})
    if given.get("predicate"):
        conditions += _read_predicate(str(given["predicate"]), interpolation)
    message = str(given.get("error_message") or "")
    told = {"message": message} if message and "{{" not in message else {}
    return [{"action": action or "fail_item", **condition, **told} for condition in conditions]


def _read_predicate(text: str, interpolation: Interpolation) -> list[Node]:
    inside = re.fullmatch(r"\{\{\s*(.*?)\s*\}\}", text.strip(), re.DOTALL)
    found = _read_comparison(inside[1], "response", interpolation) if inside else None
    if found is None and inside:
        found = _read_contained(inside[1])
    if found is None:
        interpolation.note(f"The predicate of an error handler was left out: {text!r}.")
    return [found] if found else []


def _read_contained(text: str) -> Node | None:
    """Read `'text' in response['message']`, `'key' in response` and `response.get('error')`."""
    found = re.fullmatch(r"""['"]([^'"]*)['"]\s+in\s+(.+)""", text)
    if found and found[2].strip() == "response":
        return {"path": found[1], "op": "exists"}
    path = read_path("{{ " + (found[2] if found else text) + " }}", "response")
    if path is None:
        return None
    return {"path": path, "op": "contains", "value": found[1]} if found else {"path": path, "op": "exists"}


def _read_comparison(text: str, root: str, interpolation: Interpolation) -> Node | None:
    """Read one comparison of a value below `root` with something known."""
    found = _COMPARISON.fullmatch(text.strip())
    path = read_path("{{ " + found[1] + " }}", root) if found else None
    if found is None or path is None:
        return None
    try:
        value = ast.literal_eval(_constant(found[3].strip()))
    except (ValueError, SyntaxError):
        value = interpolation.write("{{ " + found[3].strip() + " }}", "condition")
        if value is None or not re.search(r"config|stream_", found[3]):
            return None
    if isinstance(value, tuple | set):
        value = list(value)
    return {"path": path, "op": _OPERATORS[found[2]], "value": value}


def _constant(text: str) -> str:
    return {"true": "True", "false": "False", "none": "None", "null": "None"}.get(text, text)


def _read_backoff(strategy: Node, retry: Node, interpolation: Interpolation) -> None:
    kind = strategy.get("type")
    seconds = str(strategy.get("backoff_time_in_seconds") or strategy.get("factor") or "")
    number = float(seconds) if re.fullmatch(r"\d+(?:\.\d+)?", seconds) else None
    if kind == "ConstantBackoffStrategy" and number is not None:
        retry["base_delay"] = number
        retry["max_delay"] = max(number, 60.0)
    elif kind == "ExponentialBackoffStrategy":
        retry["base_delay"] = number or 5.0
    elif kind in ("WaitTimeFromHeader", "WaitUntilTimeFromHeader"):
        header = str(strategy.get("header"))
        if not _HEEDED.match(header):
            interpolation.note(f"Swath does not wait for as long as the header {header} says; it backs off.")
    elif kind:
        interpolation.note(f"The backoff strategy {kind} was left out: Swath backs off by its own.")


def read_filters(given: Json, record_path: str, interpolation: Interpolation) -> list[Node]:
    """Return the filters of a record filter's condition, where all its parts compare a field."""
    condition = given.get("condition") if isinstance(given, dict) else None
    if not isinstance(condition, str) or not condition.strip():
        return []
    inside = re.fullmatch(r"\{\{\s*(.*?)\s*\}\}", condition.strip(), re.DOTALL)
    parts = re.split(r"\s+and\s+", inside[1]) if inside else []
    found = [_read_comparison(part, "record", interpolation) for part in parts]
    if not found or None in found or " or " in condition:
        interpolation.note(f"The filter of the records was left out: {condition.strip()!r}.")
        return []
    return [
        {**each, "path": f"{record_path}.{each['path']}" if record_path else each["path"]}
        for each in found
        if each
    ]
