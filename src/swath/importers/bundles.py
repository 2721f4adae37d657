"""A document in several files, made one: what its references lead to in the files beside it comes into it."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from swath.errors import InvalidInput
from swath.importers.documents import read_document

#: Where the other documents stand in the one.
_BESIDE: Final = "x-beside"
#: Other documents that are read, at most.
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a document lies: its own name, and what reads others in its folder and below, None for none.

    Paths are those of URLs: `schemas/user.yaml`, never upwards.
    """

    name: str
    read: Callable[[str], str | None] = field(repr=False)


def bundle(document: dict[str, Any], folder: Folder) -> dict[str, Any]:
    """Return a document with all others that its references lead to, so that these lead nowhere else.

    References to what is not in the folder, or cannot be read, stay as they are.
    """
    return _Bundle(folder).join(document)


class _Bundle:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        #: By path; None: it cannot be read.
        self.others: dict[str, dict[str, Any] | None] = {}

    def join(self, document: dict[str, Any]) -> dict[str, Any]:
        joined = self._lead(document, self.folder.name)
        waiting = list(self.others)
        beside: dict[str, Any] = {}
        while waiting:
            path = waiting.pop()
            known = len(self.others)
            if (other := self.others[path]) is not None:
                beside[path] = self._lead(other, path)
            waiting += list(self.others)[known:]
        return {**joined, _BESIDE: beside} if beside else joined

    def _lead(self, node: Any, place: str) -> Any:
        """Return a node of the document at a place with its references leading to where they will stand."""
        if isinstance(node, list):
            return [self._lead(each, place) for each in node]
        if not isinstance(node, dict):
            return node
        led = {key: self._lead(each, place) for key, each in node.items()}
        if isinstance(reference := node.get("$ref"), str):
            led["$ref"] = self._target(reference, place)
        return led

    def _target(self, reference: str, place: str) -> str:
        address, mark, pointer = reference.partition("#")
        if not address and place == self.folder.name:
            return reference
        path = _join(place, address)
        if path is None:
            return reference
        if path == self.folder.name:
            return f"#{pointer}"
        if path not in self.others and len(self.others) < _MOST:
            self.others[path] = self._open(path)
        if self.others.get(path) is None:
            return path + mark + pointer
        key = path.replace("%", "%25").replace("~", "~0").replace("/", "~1")
        return f"#/{_BESIDE}/{key}{pointer}"

    def _open(self, path: str) -> dict[str, Any] | None:
        text = self.folder.read(path)
        try:
            return None if text is None else read_document(text, "openapi")
        except InvalidInput:
            return None


def _join(place: str, address: str) -> str | None:
    """Return the path that a relative address leads to, None where it leads out of the folder."""
    if not address:
        return place
    if ":" in address.partition("/")[0] or address.startswith("/") or "?" in address or "\\" in address:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place), unquote(address)))
    return None if path.startswith(("../", "/")) or path in ("..", ".") else path
