"""Where a variable's values come from, in a formula: a collection, another workflow's rows, or a rule."""

from typing import Any

from swath.flow.definition import Json
from swath.ui.edits import names_used, put, whole
from swath.ui.sheet import Edit

#: The rules, and how one begins.
RANGE, WINDOWS, UNTIL = "range", "windows", "until"
_BEGUN: dict[str, dict[str, Json]] = {
    RANGE: {"first": 1, "last": 100},
    WINDOWS: {"first": "today - 30 days", "last": "today", "step": "1 day"},
}
#: The field that says which part of each object is the value.
KEY = "source_collection_json_key"
#: By kind: the fields that say more, each with its label, and whether it is a number.
FIELDS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "collection": ((KEY, "Key of each object", False),),
    "workflow": (("column", "Column", False), ("collection", "Table", False)),
    RANGE: (("first", "From", True), ("last", "To", True), ("step", "In steps of", True)),
    WINDOWS: (
        ("first", "From", False),
        ("last", "Until", False),
        ("step", "In steps of", False),
        ("format", "Written as", False),
        ("until_variable", "Variable of the end", False),
    ),
}
#: What stands in a field that says nothing.
BLANK = {
    "step": "1 day",
    "last": "today",
    "format": "%Y-%m-%d",
    "until_variable": "until",
    "column": "id",
    "collection": "the first",
}


def find(workflow: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """Return the source of a variable, as `kind` or `kind:name`, and what the formula says of it."""
    for each in _mappings(workflow):
        if each.get("target_variable_name") == name:
            result = each.get("from_result")
            if isinstance(result, dict):
                return f"workflow:{result.get('workflow') or result.get('workflow_id') or ''}", result
            return f"collection:{each.get('source_collection') or each.get('source_collection_id')}", each
    for kind, part, field in (
        (RANGE, "ranges", "variable"),
        (WINDOWS, "date_windows", "from_variable"),
        (UNTIL, "date_windows", "until_variable"),
    ):
        for each in _objects(workflow, part):
            if each.get(field) == name:
                return kind, each
    return "", {}


def choose(workflow: dict[str, Any], name: str, source: str) -> None:
    """Let a variable take its values from another source, in the place of the one that it has."""
    put(workflow, "mappings", [m for m in _mappings(workflow) if m.get("target_variable_name") != name])
    put(workflow, "ranges", [each for each in _objects(workflow, "ranges") if each.get("variable") != name])
    windows = [each for each in _objects(workflow, "date_windows") if each.get("from_variable") != name]
    put(workflow, "date_windows", windows)
    kind, _, of = source.partition(":")
    if kind == "collection":
        _add(workflow, "mappings", {"target_variable_name": name, "source_collection": of})
    elif kind == "workflow":
        mapping = {"target_variable_name": name, "from_result": {"workflow": of, "column": ""}}
        _add(workflow, "mappings", mapping)
    elif kind == RANGE:
        _add(workflow, "ranges", {"variable": name, **_BEGUN[kind]})
    elif kind == WINDOWS:
        _add(workflow, "date_windows", {"from_variable": name, **_BEGUN[kind]})
    if not kind:
        set_batch(workflow, name, None)


def set_field(workflow: dict[str, Any], name: str, field: str, value: Any, *, is_number: bool) -> None:
    """Set what a formula says of a variable's source; nothing takes it away, but for a column's name."""
    _, found = find(workflow, name)
    if field == "column":
        found[field] = value or ""
    else:
        put(found, field, whole(value) if is_number else value)


def tidy(edit: Edit) -> Edit:
    """Return an edit that also forgets a variable which nothing uses after it, if nothing is said of it."""

    def tidied(endpoint: dict[str, Any], workflow: dict[str, Any]) -> None:
        before = names_used(endpoint)
        edit(endpoint, workflow)
        variables = endpoint.get("variables") or {}
        for name in {*before} - {*names_used(endpoint)}:
            if not find(workflow, name)[0] and variables.get(name) in ({}, None):
                variables.pop(name, None)

    return tidied


def batch(workflow: dict[str, Any], name: str) -> int | None:
    """Return how many values of a variable go into one request."""
    batches = workflow.get("batches")
    found = batches.get(name) if isinstance(batches, dict) else None
    return found.get("size") if isinstance(found, dict) else None


def set_batch(workflow: dict[str, Any], name: str, size: Any) -> None:
    batches = workflow.get("batches")
    batches = dict(batches) if isinstance(batches, dict) else {}
    put(batches, name, {**(batches.get(name) or {}), "size": whole(size)} if size else None)
    put(workflow, "batches", batches)


def _mappings(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return _objects(workflow, "mappings")


def _objects(workflow: dict[str, Any], part: str) -> list[dict[str, Any]]:
    found = workflow.get(part)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _add(workflow: dict[str, Any], part: str, entry: dict[str, Any]) -> None:
    workflow[part] = [*_objects(workflow, part), entry]
