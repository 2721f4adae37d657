"""Postman collections (v2.1 and v2.0): every request an endpoint and a workflow, its variables ours."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.paging import Page
from swath.importers.credentials import is_secret_name, secret_part
from swath.importers.documents import as_list, as_object, objects, read_document
from swath.importers.grants import Grant, read_grant
from swath.importers.holes import by_place, encode_form, hole, identifier, literal
from swath.importers.imported import Draft, Imported
from swath.importers.listings import add_listing
from swath.importers.pairs import assemble, enabled, pairs, with_query
from swath.importers.recorded import Recorded

Node = dict[str, Any]

_HOLE: Final = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_AUTHORITY: Final = re.compile(r"(?:[A-Za-z][\w+.-]*://)?[^/?#]*")
_SEGMENT: Final = re.compile(r"(?<=/):([\w-]+)(?=/|$|\?)")
#: What Postman says of a raw body by its language.
_LANGUAGES: Final = {
    "json": "application/json",
    "xml": "application/xml",
    "html": "text/html",
    "javascript": "application/javascript",
    "text": "text/plain",
}
_DEEPEST: Final = 20
_BODILESS: Final = frozenset(["GET", "HEAD", "COPY", "PURGE", "UNLOCK"])


def read_postman(text: str) -> Imported:
    """Return the formula of a collection as Postman exports it, folders and all.

    Variables keep their names, those that the host needs are filled in. Raises InvalidInput.
    """
    document = read_document(text, "postman")
    document = as_object(document.get("collection", document))
    if not isinstance(document.get("item"), list):
        raise InvalidInput("item", "Blank. Export the collection from Postman as Collection v2.1.")
    return _Reader(document).read()


def write_holes(text: str) -> str:
    """Return a template of a text with Postman's variables, whose names may hold what ours do not."""
    parts = _HOLE.split(text)
    return "".join(hole(identifier(part)) if n % 2 else literal(part) for n, part in enumerate(parts))


@dataclass(frozen=True, slots=True)
class _Item:
    """A request with what its folders say."""

    path: tuple[str, ...]
    item: Node
    grant: Node | None
    variables: Mapping[str, str]
    #: Variables whose values Postman hides.
    sealed: frozenset[str]


class _Reader:
    def __init__(self, document: Node) -> None:
        self.document = document
        self.draft = Draft()
        self.scripted: list[str] = []

    def read(self) -> Imported:
        for found in self._items(self.document, (), None, {}, frozenset()):
            try:
                add_listing([self._read(found)], self.draft)
            except InvalidInput as error:
                self.draft.note(f"{_title(found)} was left out: {error}")
        if not self.draft.endpoints:
            raise InvalidInput("item", " ".join(["There is no request in it.", *self.draft.notes]))
        if self.scripted:
            self.draft.note(f"The scripts were left out: those of {', '.join(dict.fromkeys(self.scripted))}.")
        return self.draft.finish()

    def _items(
        self,
        holder: Node,
        path: tuple[str, ...],
        grant: Node | None,
        variables: Mapping[str, str],
        sealed: frozenset[str],
    ) -> Iterator[_Item]:
        """Yield the requests of a folder and of those in it; what is nearer counts more."""
        own = holder.get("auth") if isinstance(holder.get("auth"), dict) else grant
        known = {**variables, **dict(pairs(holder.get("variable")))}
        hidden = [each for each in enabled(holder.get("variable")) if each.get("type") == "secret"]
        sealed = sealed | dict(pairs(hidden)).keys()
        self._note_scripts(holder, path)
        for item in objects(holder.get("item")) if len(path) < _DEEPEST else ():
            inside = (*path, str(item.get("name") or ""))
            if isinstance(item.get("item"), list):
                yield from self._items(item, inside, own, known, sealed)
            elif item.get("request"):
                self._note_scripts(item, inside)
                yield _Item(inside, item, own, known, sealed)

    def _note_scripts(self, holder: Node, path: tuple[str, ...]) -> None:
        for event in objects(holder.get("event")):
            if any(str(line).strip() for line in as_list(as_object(event.get("script")).get("exec"))):
                self.scripted.append(path[-1] if path else "the collection")

    # --- one request

    def _read(self, found: _Item) -> Recorded:
        request = found.item["request"]
        request = {"url": request} if isinstance(request, str) else as_object(request)
        url, places = self._url(request.get("url"), found)
        method = str(request.get("method") or "GET")
        body, kind, multipart = self._body(None if self._prunes(found, method) else request.get("body"))
        headers = tuple(pairs(request.get("header")))
        if kind and not any(name.lower() == "content-type" for name, _ in headers):
            headers += (("Content-Type", kind),)
        given = request.get("auth") if isinstance(request.get("auth"), dict) else found.grant
        grant = read_grant(given, write_holes)
        self.draft.note(*(f"{_title(found)}: {note}" for note in grant.notes))
        written = json.dumps([url, headers, body, multipart, grant.query, grant.settings])
        variables = {**self._variables(written, found, grant), **{name: {} for name in places}}
        recorded = Recorded(
            method=method,
            url=with_query(url, grant.query),
            headers=headers,
            body=body,
            multipart=multipart,
            name=_title(found),
            write=write_holes,
            credentials=grant.headers,
            variables=variables,
            settings={**grant.settings, "mappings": list(self._mappings(places))},
        )
        return replace(recorded, answer=self._example(found.item, recorded))

    def _prunes(self, found: _Item, method: str) -> bool:
        """Tell whether Postman sends a request without the body that it has, as it does with a GET."""
        holders = (found.item, self.document)
        behaviours = [as_object(each.get("protocolProfileBehavior")) for each in holders]
        return method.upper() in _BODILESS and not any(each.get("disableBodyPruning") for each in behaviours)

    def _url(self, given: Json, found: _Item) -> tuple[str, dict[str, str]]:
        """Return the address with its host filled in, and the values of its path's variables."""
        parts = given if isinstance(given, dict) else {"raw": given}
        places, own = dict(pairs(parts.get("variable"))), dict[str, str]()
        url = self._fill_host(assemble(parts), found.variables)

        def fill(segment: re.Match[str]) -> str:
            value = places.get(segment[1], "")
            if _HOLE.search(value):  # another variable's value stands there
                return value
            own[identifier(segment[1])] = value
            return hole(identifier(segment[1]))

        address, mark, query = url.partition("?")
        scheme = re.match(r"[a-z]+://[^/]*", address)
        start = scheme.end() if scheme else 0
        address = address[:start] + _SEGMENT.sub(fill, address[start:])
        return f"{address}{mark}{query}", own

    def _fill_host(self, url: str, known: Mapping[str, str]) -> str:
        for _ in range(_DEEPEST):
            authority = _AUTHORITY.match(url)
            head = authority[0] if authority else ""
            filled = _HOLE.sub(lambda found: known.get(found[1], found[0]), head)
            if filled == head:
                break
            url = filled + url[len(head) :]
        return url if "://" in url[:12] else f"http://{url}"

    def _variables(self, written: str, found: _Item, grant: Grant) -> dict[str, Node]:
        """Declare the variables that a request uses, with the values that the collection has for them."""
        declared: dict[str, Node] = dict(grant.variables)
        self.draft.secrets.update(grant.found)
        ours = {identifier(name): name for name in found.variables}
        names = [
            *_HOLE.findall(written),
            *(ours.get(variable, variable) for variable in sorted(grant.secret)),
        ]
        for name in dict.fromkeys(names):
            variable, value = identifier(name), found.variables.get(name, "")
            if name.startswith("$"):
                self.draft.note(
                    f"{{{{{name}}}}} is made up by Postman: give values for the variable {variable}."
                )
            is_hidden = variable in grant.secret or name in found.sealed
            is_secret = is_hidden or is_secret_name(name) or secret_part(value) is not None
            known = declared.setdefault(variable, {})
            if is_secret:
                known["secret"] = True
            if value and not _HOLE.search(value):
                if is_secret:
                    self.draft.secrets.setdefault(variable, value)
                else:
                    known["default"] = value
        return declared

    def _mappings(self, places: Mapping[str, str]) -> Iterator[Node]:
        for variable, value in places.items():
            if value:
                collection = self.draft.collect(variable, [value])
                yield {"target_variable_name": variable, "source_collection": collection}

    def _body(self, given: Json) -> tuple[str | None, str, Node | None]:
        """Return text, content type and parts of a body."""
        if not isinstance(given, dict) or given.get("disabled"):
            return None, "", None
        mode = given.get("mode")
        if mode == "raw" and given.get("raw"):
            language = as_object(as_object(given.get("options")).get("raw")).get("language", "text")
            return str(given["raw"]), _LANGUAGES.get(str(language), "text/plain"), None
        if mode == "urlencoded":
            form = [
                f"{encode_form(name)}={encode_form(value)}" for name, value in pairs(given.get("urlencoded"))
            ]
            return by_place("&".join(form)), "application/x-www-form-urlencoded", None
        if mode == "graphql":
            return _graphql(as_object(given.get("graphql"))), "application/json", None
        if mode == "file":
            self.draft.note("The file of a body is not read: give its content as the variable body.")
            return hole("body"), "application/octet-stream", None
        return (None, "", self._parts(given.get("formdata"))) if mode == "formdata" else (None, "", None)

    def _parts(self, fields: Json) -> Node:
        parts: Node = {}
        for each in enabled(fields):
            name = str(each.get("key") or "")
            for part in self._read_parts(name, each):
                parts[name] = [*_listed(parts[name]), part] if name in parts else part
        return parts

    def _read_parts(self, name: str, field: Node) -> Iterator[Json]:
        """Yield the part that a field is, of several files one each."""
        kind = field.get("contentType")
        if field.get("type") != "file":
            value = str(field.get("value") or "")
            yield {"content": value, "content_type": kind} if kind else value
            return
        source = field.get("src")
        paths = source if isinstance(source, list) and source else [source]
        for number, path in enumerate(paths):
            filename = re.split(r"[/\\]", str(path or "file"))[-1]
            variable = identifier(name, "file") + (f"_{number + 1}" if number else "")
            self.draft.note(f"The file {filename} is not read: give its content as the variable {variable}.")
            content_type = kind or "application/octet-stream"
            yield {"filename": filename, "content": hole(variable), "content_type": content_type}

    def _example(self, item: Node, request: Recorded) -> Page | None:
        """Return the first good answer that was saved with a request."""
        for saved in objects(item.get("response")):
            code = saved.get("code")
            if not isinstance(code, int) or not 200 <= code < 300:
                continue
            try:
                body = json.loads(saved.get("body") or "")
            except ValueError:
                continue
            headers = [(name.lower(), value) for name, value in pairs(saved.get("header"))]
            return Page(code, headers, body, re.sub(r"[{}]", "", request.url))
        return None


def _title(found: _Item) -> str:
    """Return the name of a request, with its folder's where there is one."""
    return " / ".join(part for part in found.path[-2:] if part) or "Request"


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _graphql(given: Node) -> str:
    variables = given.get("variables") or "{}"
    text = variables if isinstance(variables, str) else json.dumps(variables, ensure_ascii=False)
    query = json.dumps(str(given.get("query") or ""), ensure_ascii=False)
    return f'{{"query":{query},"variables":{text.strip() or "{}"}}}'
