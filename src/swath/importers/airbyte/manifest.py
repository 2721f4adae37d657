"""A manifest as its author meant it: references followed, parameters handed down to the components inside."""

import re
from typing import Any, Final

from swath.flow.definition import Json
from swath.importers.documents import References, as_list, objects

Node = dict[str, Any]

_DEEPEST: Final = 60
_OLD_REFERENCE: Final = re.compile(r"\*ref\(([\w.\-]+)\)")
_PARAMETER: Final = re.compile(
    r"""\{\{\s*(?:parameters|options)(?:\.(\w+)|\[\s*['"](\w+)['"]\s*\]|\.get\(\s*['"](\w+)['"]\s*\))\s*\}\}"""
)
#: The keys under which components say what is handed down.
_HANDED: Final = ("$parameters", "$options")


class Manifest:
    """Resolves the components of one manifest."""

    def __init__(self, document: Node) -> None:
        self.document = document
        self.references = References(document)

    @property
    def streams(self) -> list[Node]:
        """The streams, resolved."""
        return objects([self.settle(each) for each in as_list(self.document.get("streams"))])

    def settle(self, node: Json) -> Any:
        """Return a component with everything in it resolved."""
        return self._settle(node, {}, 0)

    def _settle(self, node: Json, handed: Node, depth: int) -> Any:
        if depth > _DEEPEST:
            return {}
        node = self._follow(node)
        if isinstance(node, str):
            return _fill(node, handed)
        if isinstance(node, list):
            return [self._settle(each, handed, depth + 1) for each in node]
        if not isinstance(node, dict):
            return node
        own = dict(handed)
        for key in _HANDED:
            given = node.get(key)
            own.update(self._settle(given, handed, depth + 1) if isinstance(given, dict) else {})
        settled = {
            key: self._settle(value, own, depth + 1) for key, value in node.items() if key not in _HANDED
        }
        # A component takes what it lacks from the parameters of the same name.
        return {**own, **settled} if isinstance(node.get("type"), str) else settled

    def _follow(self, node: Json) -> Json:
        if isinstance(node, str) and (found := _OLD_REFERENCE.fullmatch(node.strip())):
            return self._follow({"$ref": "#/" + found[1].replace(".", "/")})
        if isinstance(node, str) and node.startswith("#/"):  # a reference, too, wherever it stands
            return self._follow({"$ref": node}) or node
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            target = self._follow(self.references.follow({"$ref": node["$ref"]}))
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return _overlay(target, rest) if isinstance(target, dict) else target
        return node


def _overlay(below: Node, above: Node) -> Node:
    """Put the keys beside a reference over those that it leads to; parameters of both are kept."""
    merged = {**below, **above}
    for key in _HANDED:
        if isinstance(below.get(key), dict) and isinstance(above.get(key), dict):
            merged[key] = {**below[key], **above[key]}
    return merged


def _fill(text: str, handed: Node) -> Json:
    """Put the values of parameters into a text; one that is a single parameter keeps its type."""
    whole = _PARAMETER.fullmatch(text.strip())
    if whole and (name := _named(whole)) in handed:
        return handed[name]
    return _PARAMETER.sub(lambda found: str(handed.get(_named(found), "")), text)


def _named(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[3] or ""
