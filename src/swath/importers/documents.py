"""JSON and YAML documents: read so that texts stay texts, and references in them followed."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, Final
from urllib.parse import unquote

import yaml

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.request.encoding import well_formed

#: What YAML 1.1 takes for more than text, and people mean as text: times, `no`, `1:30`.
_DROPPED: Final = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int")
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_BOOLEAN: Final = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_FARTHEST: Final = 50


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML as JSON would be: true, false, null, numbers, and texts."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _DROPPED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))


def read_document(text: str, field: str) -> dict[str, Json]:
    """Return the object that a text holds, as JSON or YAML. Raises InvalidInput that says where."""
    text = text.removeprefix("\ufeff")
    try:
        document = json.loads(text) if text.lstrip()[:1] == "{" else yaml.load(text, _Loader)
    except json.JSONDecodeError:
        document = _read_yaml(text, field)
    except yaml.YAMLError as error:
        raise InvalidInput(field, _explain(error)) from None
    except RecursionError:
        raise InvalidInput(field, "Nested too deeply.") from None
    if not isinstance(document, dict):
        raise InvalidInput(field, "Must be an object with keys, in JSON or YAML.")
    return as_object(clean(document))


def _read_yaml(text: str, field: str) -> Json:
    """Read what begins as JSON and is none: perhaps YAML's own braces."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InvalidInput(field, _explain(error)) from None


def _explain(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"Neither JSON nor YAML{place}: {problem}."


def clean(value: Any) -> Any:
    """Return a value whose texts can be written in any encoding: without lone surrogates."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {clean(key): clean(each) for key, each in value.items()}
    return [clean(each) for each in value] if isinstance(value, list) else value


def as_object(value: Json) -> dict[str, Any]:
    """Return a value that is an object, for any other an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return a value that is a list, for any other an empty one."""
    return value if isinstance(value, list) else []


def objects(value: Json) -> list[dict[str, Any]]:
    """Return the objects in a value that is a list."""
    return [each for each in as_list(value) if isinstance(each, dict)]


class References:
    """Follows `$ref`s inside a document; those to other documents are remembered, and read as nothing."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        self.document = document
        self.outside: dict[str, None] = {}

    def follow(self, node: Json) -> Json:
        """Return what a node stands for; a reference that leads nowhere or in a ring is an empty object."""
        for _ in range(_FARTHEST):
            reference = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(reference, str):
                return node
            found = self._find(reference)
            rest = {key: value for key, value in node.items() if key != "$ref"}
            node = {**found, **rest} if rest and isinstance(found, dict) else found
        return {}

    def _find(self, reference: str) -> Json:
        outside, _, pointer = reference.partition("#")
        if outside:
            self.outside[reference] = None
            return {}
        keys = [unquote(key).replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
        return reduce(_step, keys, self.document)

    def object(self, node: Json) -> dict[str, Any]:
        """Return what a node stands for where that is an object, else an empty one."""
        return as_object(self.follow(node))

    def list(self, node: Json) -> Iterable[dict[str, Any]]:
        """Return the objects that a list holds."""
        return [self.object(each) for each in as_list(self.follow(node))]


def _step(node: Json, key: str) -> Json:
    if isinstance(node, list) and key.isdigit() and int(key) < len(node):
        return node[int(key)]
    return node.get(key, {}) if isinstance(node, dict) else {}
