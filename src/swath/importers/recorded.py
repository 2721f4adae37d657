"""A request with the answer that some tool recorded, and which of its parameters ask for a page."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import unquote_plus

from swath.flow.definition import Json
from swath.flow.paging import Page
from swath.flow.paging.suggestion import paging_kind
from swath.importers.credentials import is_secret_name
from swath.importers.holes import hole, literal
from swath.importers.sent import Sent

#: Stands in a body for the variable that pages it, until the rest is made literal.
_MARK: Final = "x9Page9x"
FORM: Final = "application/x-www-form-urlencoded"
_GRAPHQL: Final = frozenset(["query", "operationName", "extensions", "doc_id", "queryId"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request, word for word, and its answer if that was kept."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    multipart: dict[str, Json] | None = None
    answer: Page | None = None
    name: str = ""
    #: Makes a template of a text of the source.
    write: Callable[[str], str] = literal
    #: Headers that are templates already.
    credentials: tuple[tuple[str, str], ...] = ()
    #: What the source declares of variables, and says of the workflow.
    variables: dict[str, dict[str, Json]] = field(default_factory=dict)
    settings: Mapping[str, Json] = field(default_factory=dict)
    parameters: Mapping[str, Json] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", dict(self._parameters()))

    def _parameters(self) -> Iterator[tuple[str, Json]]:
        """Yield the parameters of the query, of a form, and of a JSON body's top level.

        Of a GraphQL request the variables are, those that are called as what stands beside them by a path.
        """
        yield from _split(self.url.partition("#")[0].partition("?")[2])
        if self.is_form:
            yield from _split(self.body or "")
            return
        body = self._object()
        inner = _variables(body)
        yield from ((name, value) for name, value in body.items() if inner is None or name != "variables")
        for name, value in (inner or {}).items():
            yield f"variables.{name}" if name in body else name, value

    def _object(self) -> dict[str, Json]:
        """Return the body where it is an object of JSON, else an empty one."""
        try:
            body = json.loads(self.body or "")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def is_form(self) -> bool:
        kinds = [value for name, value in self.headers if name.lower() == "content-type"]
        return self.body is not None and any(kind.startswith(FORM) for kind in kinds)

    @property
    def paging(self) -> dict[str, Json]:
        """The parameters that say which page is asked for."""
        return {
            name: value
            for name, value in self.parameters.items()
            if paging_kind(name) and not is_secret_name(name) and isinstance(value, str | int | None)
        }

    @property
    def listing(self) -> tuple[str, ...]:
        """What all pages of one listing have in common."""
        apart = {*self.paging, "_"}  # `_`: a number that browsers add against caches
        rest = {name: value for name, value in self.parameters.items() if name not in apart}
        unread = "" if self.body is None or self.is_form or self.body.lstrip()[:1] == "{" else self.body
        address = self.url.partition("#")[0].partition("?")[0]
        return self.method, address, json.dumps(rest, sort_keys=True), unread, json.dumps(self.multipart)

    def paged(self, name: str, variable: str) -> "Recorded":
        """Return the request with a mark in place of a parameter, to be a variable."""
        mark = f"{_MARK}{variable}x9"
        address, question, query = self.url.partition("?")
        marked = _mark(query, name, mark) if question else None
        if marked is None and self.body is not None:
            if self.is_form:
                return replace(self, body=_mark(self.body, name, mark) or f"{self.body}&{name}={mark}")
            if self.body.lstrip()[:1] == "{":
                return replace(self, body=dump(_filled(self._object(), name, mark)))
        if marked is None:
            marked = f"{query}&{name}={mark}" if query else f"{name}={mark}"
        return replace(self, url=f"{address}?{marked}")

    def written(self) -> Sent:
        """Return the request as texts in which only the marks are variables."""
        return Sent(
            url=_unmark(self.write(self.url)),
            method=self.method,
            headers=[*self.credentials, *((name, self.write(value)) for name, value in self.headers)],
            body=None if self.body is None else _unmark(self.write(self.body)),
            multipart=_written(self.multipart, self.write),
            variables=self.variables,
        )


def _split(pairs: str) -> Iterator[tuple[str, str]]:
    """Yield names and values of a query or form."""
    for pair in pairs.split("&"):
        name, _, value = pair.partition("=")
        if name:
            yield unquote_plus(name), unquote_plus(value)


def _mark(pairs: str, name: str, mark: str) -> str | None:
    """Return a query or form with a mark for the value of a name, None where it has no such name."""
    parts = pairs.split("&")
    found = [n for n, part in enumerate(parts) if unquote_plus(part.partition("=")[0]) == name]
    for n in found:
        parts[n] = f"{parts[n].partition('=')[0]}={mark}"
    return "&".join(parts) if found else None


def _variables(body: dict[str, Json]) -> dict[str, Json] | None:
    """Return the variables of a GraphQL request, None where a body is none."""
    is_graphql = not _GRAPHQL.isdisjoint(body)
    variables = body.get("variables")
    return variables if is_graphql and isinstance(variables, dict) else None


def _filled(body: dict[str, Json], name: str, mark: str) -> dict[str, Json]:
    """Return a body with a mark for a parameter, among the variables of a GraphQL request."""
    variables = _variables(body)
    if variables is None or name in body:
        return {**body, name: mark}
    return {**body, "variables": {**variables, name.removeprefix("variables."): mark}}


def dump(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _unmark(text: str) -> str:
    parts = text.split(_MARK)
    filled = [hole(name) + rest for name, _, rest in (part.partition("x9") for part in parts[1:])]
    return parts[0] + "".join(filled)


def _written(value: Json, write: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return write(value)
    if isinstance(value, dict):
        return {name: _written(each, write) for name, each in value.items()}
    return [_written(each, write) for each in value] if isinstance(value, list) else value
