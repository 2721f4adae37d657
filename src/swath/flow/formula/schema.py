"""The JSON Schema of formulas, made of the dataclasses: editors complete and check a file by it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from swath.flow.definition import Endpoint, Json, Workflow
from swath.flow.formula.meanings import BOUNDS, MEANINGS
from swath.flow.formula.reading import ALIASES
from swath.flow.formula.structure import ListedProxy

URL = "https://json-schema.org/draft/2020-12/schema"


@cache
def schema() -> dict[str, Json]:
    """Return the schema of a whole formula."""
    _, document = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(kind)) for kind in (Endpoint, Workflow, ListedProxy)],
        ref_template="#/$defs/{model}",
    )
    definitions = {name: _close(name, each) for name, each in document["$defs"].items()}
    definitions["Body"]["maxProperties"] = 1
    for name in ("Endpoint", "Workflow"):
        _drop(definitions[name], "name")
    _drop(definitions["VariableMapping"], "id")
    _alias(definitions["Workflow"], "endpoint", "The endpoint that it executes, by name.")
    _alias(definitions["ResultColumn"], "workflow", "The workflow whose executions give the rows, by name.")
    _name_list(definitions["VariableMapping"])
    definitions["Collection"] = _COLLECTION
    return {
        "$schema": URL,
        "title": "A formula of Swath",
        "description": "Endpoints, workflows, collections and proxies by name.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "$schema": {"type": "string"},
            "description": {"type": "string", "description": "For people."},
            "endpoints": _section("Endpoint", "HTTP request templates, by name."),
            "workflows": _section("Workflow", "What is executed, by name."),
            "collections": _section("Collection", "Lists that feed variables, by name."),
            "proxies": _section("ListedProxy", "Ways out, by name."),
        },
        "$defs": dict(sorted(definitions.items())),
    }


_ITEMS: Json = {
    "type": "array",
    "description": "Texts or numbers, or objects of which mappings take keys.",
    "items": {"type": ["string", "number", "object"]},
}
_COLLECTION: Json = {
    "anyOf": [
        _ITEMS,
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "items": _ITEMS,
                "file": {
                    "type": "string",
                    "description": "A CSV, JSON, JSONL or text file beside the formula.",
                },
                "column": {"type": "string", "description": "The column or key of the file to take."},
            },
        },
    ]
}


def _section(name: str, meaning: str) -> Json:
    listed = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    return {
        "description": meaning,
        "type": ["object", "array", "null"],
        "propertyNames": {"pattern": r"\S"},
        "additionalProperties": {"$ref": f"#/$defs/{name}"},
        "items": listed,
    }


def _close(kind: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Refuse fields that are not there, say what those are for that are, and bound their numbers."""
    meanings, bounds = MEANINGS.get(kind, {}), BOUNDS.get(kind, {})
    properties = {
        name: _untitle(each)
        | ({"description": meanings[name]} if name in meanings else {})
        | _bound(each, bounds.get(name, {}))
        for name, each in definition.get("properties", {}).items()
    }
    closed = {key: value for key, value in definition.items() if key != "title"}
    return {**closed, "properties": properties, "additionalProperties": False}


def _bound(definition: dict[str, Any], bounds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bounds of a value, or of what it may be beside null."""
    if not bounds or "anyOf" not in definition:
        return dict(bounds)
    kinds = [each if each.get("type") == "null" else {**each, **bounds} for each in definition["anyOf"]]
    return {"anyOf": kinds}


def _untitle(definition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key != "title"}


def _drop(definition: dict[str, Any], name: str) -> None:
    definition["properties"].pop(name)
    if name in definition.get("required", ()):
        definition["required"] = [each for each in definition["required"] if each != name]


def _name_list(mapping: dict[str, Any]) -> None:
    """Take a collection by name, too; one of the lists has to be named."""
    source = {"type": "string", "description": "The collection, by name."}
    mapping["properties"] = {"source_collection": source, **mapping["properties"]}
    fields = ("source_collection", "source_collection_id", "from_result")
    mapping["oneOf"] = [{"required": [field]} for field in fields]


def _alias(definition: dict[str, Any], ours: str, meaning: str) -> None:
    """Take a formula's name for a field beside the API's; one of both has to be there."""
    theirs = ALIASES[ours]
    properties = definition["properties"]
    definition["properties"] = {ours: {"type": "string", "description": meaning}, **properties}
    definition["required"] = [each for each in definition["required"] if each != theirs]
    definition["anyOf"] = [{"required": [ours]}, {"required": [theirs]}]
