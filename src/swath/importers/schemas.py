"""JSON schemas as OpenAPI writes them: what type a value has, and what one could look like."""

import re
from typing import Final

from swath.flow.definition import Json
from swath.importers.documents import References, as_list, as_object

_DEEPEST: Final = 8
#: Values that are made up for one schema.
_MOST: Final = 1_000
#: What stands for a row of a list, by its type: what is in it does not matter.
_ROWS: Final[dict[str, Json]] = {
    "object": {"id": 1},
    "array": [1],
    "integer": 1,
    "number": 1,
    "boolean": True,
}
_TYPES: Final = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "array": "json",
    "object": "json",
}
_FORMATS: Final = {
    "date": "2024-01-31",
    "date-time": "2024-01-31T12:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
}
#: What the address of a link in a list of links is called.
_HREFS: Final = ("href", "url", "uri")
_ADDRESS: Final = re.compile(r"uri|url|iri")
_ADDRESS_NAME: Final = re.compile(
    r"(?:^|[_-])(?:url|uri|link|href)$|(?:Url|Uri|Link|Href)$|^next$", re.IGNORECASE
)


class Schemas:
    """Reads the schemas of one document."""

    def __init__(self, references: References) -> None:
        self.references = references
        #: What was brought together already, with the schema itself, so that its id stays its own.
        self._known: dict[int, tuple[Json, dict[str, Json]]] = {}
        #: Values that may still be made up: schemas that refer to each other have no end.
        self._room = 0

    def flat(self, schema: Json) -> dict[str, Json]:
        """Return a schema with its parts brought together; of alternatives the first that is not null."""
        if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            target = self.flat(self.references.follow({"$ref": schema["$ref"]}))
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return _merge([target, rest]) if rest else target
        node = as_object(schema)
        if id(node) not in self._known:
            # Until it is known, a schema that is part of itself stands for what it says of itself.
            self._known[id(node)] = node, _cleaned(node)
            self._known[id(node)] = node, self._flatten(node)
        return self._known[id(node)][1]

    def _flatten(self, node: dict[str, Json]) -> dict[str, Json]:
        node = _cleaned(node)
        parts = [self.flat(each) for each in as_list(node.get("allOf"))]
        if parts:
            node = _merge([*parts, node])
        for key in ("oneOf", "anyOf"):
            options = [self.flat(each) for each in as_list(node.get(key))]
            chosen = next((option for option in options if option.get("type") != "null"), None)
            node = {**chosen, **node} if chosen else node
        return node

    def kind(self, schema: Json) -> str:
        """Return the type of a variable that holds such a value."""
        return _TYPES.get(self.type_of(self.flat(schema)), "string")

    def type_of(self, flat: dict[str, Json]) -> str:
        kind = flat.get("type")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), None)
        if not isinstance(kind, str):
            kind = "object" if flat.get("properties") else "array" if "items" in flat else "string"
        return kind

    def example(self, schema: Json) -> Json:
        """Return a value that the schema itself gives: its example, constant or first choice."""
        flat = self.flat(schema)
        examples = flat.get("examples")
        for found in (flat.get("example"), examples[0] if isinstance(examples, list) and examples else None):
            if found is not None:
                return found
        if "const" in flat:
            return flat["const"]
        choices = flat.get("enum")
        return (
            next((each for each in choices if each is not None), None) if isinstance(choices, list) else None
        )

    def sample(self, schema: Json) -> Json:
        """Return a value of the schema: what it gives itself, else one made up."""
        self._room = _MOST
        return self._sample(schema, 0)

    def _sample(self, schema: Json, depth: int) -> Json:
        found = self.example(schema)
        flat = self.flat(schema)
        if found is None:
            found = flat.get("default")
        if found is not None or not self._has_room(depth):
            return found
        kind = self.type_of(flat)
        if kind == "object":
            wanted = flat.get("required") or flat.get("properties", {})
            known = flat.get("properties", {})
            return {name: self._sample(known[name], depth + 1) for name in wanted if name in known}
        if kind == "array":
            return [self._sample(flat.get("items", {}), depth + 1)]
        if kind in ("integer", "number"):
            return flat.get("minimum", 1)
        return True if kind == "boolean" else _FORMATS.get(str(flat.get("format")), "text")

    def page(self, schema: Json) -> Json:
        """Return what a page of answers looks like: two rows to a list, more of everything to come."""
        self._room = _MOST
        return self._page(schema, "", 0)

    def _page(self, schema: Json, name: str, depth: int) -> Json:
        flat = self.flat(schema)
        kind = self.type_of(flat)
        if not self._has_room(depth):
            return None
        if kind == "object":
            known = flat.get("properties", {})
            return {key: self._page(each, key, depth + 1) for key, each in known.items()}
        if kind == "array":
            inner = self.flat(flat.get("items", {}))
            known, kind = inner.get("properties", {}), self.type_of(inner)
            if "rel" in known and (address := next((each for each in _HREFS if each in known), None)):
                return [{"rel": "next", address: "https://api.example/next"}]
            return [_ROWS.get(kind, "text")] * 2
        if kind in ("integer", "number"):
            return 1_000_000
        return True if kind == "boolean" else _page_text(flat, name)

    def _has_room(self, depth: int) -> bool:
        self._room -= 1
        return self._room > 0 and depth <= _DEEPEST


def _cleaned(node: dict[str, Json]) -> dict[str, Json]:
    """Return a schema whose properties and required names are what they should be."""
    for key, clean in (("properties", as_object), ("required", _names)):
        if key in node:
            node = {**node, key: clean(node[key])}
    return node


def _names(value: Json) -> list[str]:
    return [each for each in as_list(value) if isinstance(each, str)]


def _merge(parts: list[dict[str, Json]]) -> dict[str, Json]:
    """Bring parts of a schema together: all properties, and of the rest the last that is given."""
    merged: dict[str, Json] = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = list(dict.fromkeys([*merged.get("required", []), *part.get("required", [])]))
        merged = {**merged, **part, "properties": properties, "required": required}
    return merged


def _page_text(flat: dict[str, Json], name: str) -> str:
    given = flat.get("example")
    if isinstance(given, str) and given:
        return given
    is_address = _ADDRESS.search(str(flat.get("format", ""))) or _ADDRESS_NAME.search(name)
    return "https://api.example/next" if is_address else "token"
