"""A request with the answer that some tool recorded, and which of its parameters ask for a page."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import unquote, unquote_plus

from swath.flow.definition import Json
from swath.flow.paging import Page
from swath.flow.paging.suggestion import paging_kind
from swath.importers.credentials import is_secret_name
from swath.importers.holes import hole, literal
from swath.importers.sent import Sent

#: Stands in a body for the variable that pages it, until the rest is made literal.
_MARK: Final = "x9Page9x"


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
        """Yield the parameters of the query and of the body's top level."""
        for pair in self.url.partition("#")[0].partition("?")[2].split("&"):
            name, _, value = pair.partition("=")
            if name:
                yield unquote(name), unquote_plus(value)
        try:
            body = json.loads(self.body or "")
        except ValueError:
            return
        if isinstance(body, dict):
            yield from body.items()

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
        unread = "" if self.body is None or self.body.lstrip()[:1] == "{" else self.body
        address = self.url.partition("#")[0].partition("?")[0]
        return self.method, address, json.dumps(rest, sort_keys=True), unread, json.dumps(self.multipart)

    def paged(self, name: str, variable: str) -> "Recorded":
        """Return the request with a mark in place of a parameter, to be a variable."""
        mark = f"{_MARK}{variable}x9"
        address, question, query = self.url.partition("?")
        pairs = query.split("&") if question else []
        found = [n for n, pair in enumerate(pairs) if unquote(pair.partition("=")[0]) == name]
        if not found and self.body is not None and self.body.lstrip()[:1] == "{":
            return replace(self, body=dump({**json.loads(self.body), name: mark}))
        for n in found:
            pairs[n] = f"{pairs[n].partition('=')[0]}={mark}"
        query = "&".join(pairs if found else [*pairs, f"{name}={mark}"])
        return replace(self, url=f"{address}?{query}")

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
