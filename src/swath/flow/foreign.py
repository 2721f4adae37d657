"""Answers that are not one JSON value, read as one: lines of JSON, CSV, XML.

Lines and tables become a list, an XML document an object of its root. All raise ValueError with a sentence
that says what is wrong.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from io import StringIO
from itertools import chain
from typing import Literal
from xml.parsers import expat

from swath.flow.definition import Json
from swath.flow.unique import name_all

Kind = Literal["json", "ndjson", "csv", "xml"]

TOO_DEEP = "It is nested too deep."
#: Elements inside of each other, at most.
MAX_DEPTH = 512
_LINES = frozenset(
    f"application/{name}"
    for name in "x-ndjson ndjson jsonl x-jsonl jsonlines x-jsonlines json-lines stream+json json-seq".split()  # noqa: SIM905
)
_TABLES = frozenset({"text/csv", "application/csv", "text/tab-separated-values"})
_DOCUMENTS = frozenset({"application/xml", "text/xml"})
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_NO_HEADER = re.compile(r';\s*header\s*=\s*"?absent"?\s*(;|$)', re.IGNORECASE)
#: Characters in which a table's header is expected to end.
_HEADER = 64 * 1024
_RECORD_SEPARATOR = "\x1e"
# How long an answer may be is a limit of the exchange; how its cells share that is not.
csv.field_size_limit(2**31 - 1)


@lru_cache(maxsize=256)
def kind_of(content_type: str) -> Kind:
    """Return what a content type says that the body is; JSON where it says nothing of the others."""
    name = content_type.partition(";")[0].strip().lower()
    if name in _LINES:
        return "ndjson"
    if name in _TABLES:
        return "csv"
    if name in _DOCUMENTS or (name.endswith("+xml") and name != "application/xhtml+xml"):
        return "xml"
    return "json"


@lru_cache(maxsize=256)
def has_header(content_type: str) -> bool:
    """Tell whether the first row of a table holds names: unless its content type denies it (RFC 4180)."""
    return _NO_HEADER.search(content_type) is None


def read_lines(text: str, decode: Callable[[str], Json]) -> list[Json]:
    """Return the values of lines of JSON; blank lines are none."""
    lines = (line.strip().lstrip(_RECORD_SEPARATOR) for line in text.split("\n"))
    return [decode(line) for line in lines if line]


def read_table(text: str, header: bool = True) -> list[Json]:
    """Return the rows of a CSV text as objects, by the names in its first row; every value is a text.

    Of columns with one name the later ones get a suffix; without a header they are numbered from 1.
    """
    if text.lstrip()[:1] == "<":
        raise ValueError("It is markup, not CSV.")
    rows = csv.reader(StringIO(text, newline=""), delimiter=_find_delimiter(text), strict=True)
    return [*_read_rows(rows, header)]


def _find_delimiter(text: str) -> str:
    """Return what stands most often between the names in the first line."""
    lines = _QUOTED.sub('""', text[:_HEADER]).splitlines()
    return max(_DELIMITERS, key=next((line for line in lines if line.strip()), "").count)


def _read_rows(rows: Iterator[list[str]], header: bool) -> Iterator[Json]:
    try:
        first = next((row for row in rows if row and not (len(row) == 1 and row[0].isspace())), [])
        names = name_all(first, set()) if header else [str(number + 1) for number in range(len(first))]
        left = rows if header else chain([first], rows)
        for number, row in enumerate(left, start=1 + header):
            if len(row) > len(names):
                raise ValueError(f"Its row {number} has {len(row)} cells, the first one {len(names)}.")
            if row:
                yield dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise ValueError(f"It is no CSV: {error}.") from None


def read_document(body: bytes, encoding: str | None = None, lists: Collection[str] = ()) -> Json:
    """Return an XML document as an object of its root.

    An element is its text, or an object of its attributes (`@name`), its elements and, beside those, its
    text (`#text`). Elements that repeat are a list; so are those at a dotted path in `lists`, though single.
    """
    document = _Document(lists)
    try:
        document.parse(body, encoding)
    except (expat.ExpatError, LookupError) as error:
        raise ValueError(f"It is no XML: {error}.") from None
    return document.root


class _Document:
    """Builds the object while the parser goes through the text."""

    def __init__(self, lists: Collection[str]) -> None:
        self._lists = lists
        self.root: dict[str, Json] = {}
        #: Of the elements that are open: the path, what is in them so far, the pieces of their text.
        self._open: list[tuple[str, dict[str, Json], list[str]]] = [("", self.root, [])]

    def parse(self, body: bytes, encoding: str | None) -> None:
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add_text
        parser.EntityDeclHandler = self._refuse_entities
        parser.Parse(body, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == 1 and name.lower() == "html":
            raise ValueError("It is an HTML page.")
        if len(self._open) > MAX_DEPTH:
            raise ValueError(TOO_DEEP)
        path = f"{self._open[-1][0]}.{name}".lstrip(".")
        self._open.append((path, {f"@{key}": value for key, value in attributes.items()}, []))

    def _end(self, name: str) -> None:
        path, children, pieces = self._open.pop()
        text = "".join(pieces).strip()
        if children and text:
            children["#text"] = text
        self._put(self._open[-1][1], name, children or text or None, path in self._lists)

    def _put(self, parent: dict[str, Json], name: str, value: Json, is_list: bool) -> None:
        if name not in parent:
            parent[name] = [value] if is_list else value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def _add_text(self, text: str) -> None:
        self._open[-1][2].append(text)

    def _refuse_entities(self, *declared: object) -> None:
        """What an entity stands for may be endless."""
        raise ValueError("It declares entities, which are not followed.")
