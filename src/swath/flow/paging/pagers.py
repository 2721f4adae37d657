"""The kinds of paging: each is three small verbs, and knows nothing of loops, totals or when to stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from pyreqwest.http import Url

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Json, Paginator
from swath.flow.paging.links import find_target
from swath.flow.paging.records import path_of
from swath.flow.request.template import UNSET

#: What a pager needs to ask for a page; JSON, since it stands in checkpoints.
State = dict[str, Json]
Header = tuple[str, str]


class Page(msgspec.Struct, frozen=True):
    """An answer whose body is parsed already; `url` is the address that it came from."""

    status: int
    headers: Sequence[Header]
    body: Json
    url: str


class Pager(Protocol):
    """One kind of paging."""

    @property
    def led(self) -> bool:
        """Whether each answer says where the next page is; else pages are counted off."""

    def first(self) -> State:
        """Return the state that asks for the first page."""

    def apply(self, state: State, values: dict[str, Json]) -> str | None:
        """Put the paging variables into `values`; return the whole URL for kinds that are led by one."""

    def advance(self, state: State, page: Page, rows: int) -> State | None:
        """Return the state that asks for the next page; None: this was the last one."""


@dataclass(frozen=True, slots=True)
class Single:
    led: bool = True

    def first(self) -> State:
        return {}

    def apply(self, state: State, values: dict[str, Json]) -> str | None:
        return None

    def advance(self, state: State, page: Page, rows: int) -> State | None:
        return None


@dataclass(frozen=True, slots=True)
class PageNumber:
    variable: str
    start: int
    led: bool = False

    def first(self) -> State:
        return {"page": self.start}

    def apply(self, state: State, values: dict[str, Json]) -> str | None:
        values[self.variable] = state.get("page", self.start)
        return None

    def advance(self, state: State, page: Page, rows: int) -> State | None:
        return {"page": state.get("page", self.start) + 1}


@dataclass(frozen=True, slots=True)
class Offset:
    """Advances by the rows that came, not by those asked for: a server may give less than `limit`."""

    variable: str
    limit: int | None
    led: bool = False

    def first(self) -> State:
        return {"offset": 0}

    def apply(self, state: State, values: dict[str, Json]) -> str | None:
        values[self.variable] = state.get("offset", 0)
        if self.limit is not None:
            values.setdefault("limit", self.limit)
        return None

    def advance(self, state: State, page: Page, rows: int) -> State | None:
        return {"offset": state.get("offset", 0) + (rows or self.limit or 1)}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A token in the body or, where `header` is given, in a header."""

    variable: str
    path: str | None = None
    header: str | None = None
    led: bool = True

    def first(self) -> State:
        return {}

    def apply(self, state: State, values: dict[str, Json]) -> str | None:
        if state:
            values[self.variable] = state["cursor"]
        else:
            values.setdefault(self.variable, UNSET)
        return None

    def advance(self, state: State, page: Page, rows: int) -> State | None:
        if self.header is not None:
            cursor: Json = next(iter(_header_values(page, self.header)), None)
        else:
            cursor = path_of(self.path or "").first(page.body, None)
        return None if _is_end(cursor) else {"cursor": cursor}


@dataclass(frozen=True, slots=True)
class NextUrl:
    """An address in the body, in a `header`, or with a `rel` in the Link header; maybe a relative one."""

    path: str | None = None
    rel: str | None = None
    header: str | None = None
    led: bool = True

    def first(self) -> State:
        return {}

    def apply(self, state: State, values: dict[str, Json]) -> str | None:
        return state.get("url")

    def advance(self, state: State, page: Page, rows: int) -> State | None:
        if self.rel is not None:
            target: Json = find_target(_header_values(page, "link"), self.rel)
        elif self.header is not None:
            target = next(iter(_header_values(page, self.header)), None)
        else:
            target = path_of(self.path or "").first(page.body, None)
        if isinstance(target, dict):
            target = target.get("href", target.get("url"))
        return None if _is_end(target) else {"url": resolve(page.url, target)}


def _is_end(token: Json) -> bool:
    return token is None or token is False or token in ("", 0)


def _header_values(page: Page, name: str) -> list[str]:
    wanted = name.lower()
    return [value.strip() for key, value in page.headers if key.lower() == wanted]


def resolve(base: str, target: Json) -> str:
    """Return the absolute address of a next URL; raises ItemFailed for what is none.

    One that leads to plain http on the host that was asked by https is asked by https: servers behind a
    proxy often do not know their own scheme, and nothing secret may go out in the clear.
    """
    try:
        origin = Url(base)
        url = origin.join(target).with_fragment(None)
    except (ValueError, TypeError):
        raise ItemFailed("bad_next_url", "the next URL cannot be read") from None
    if url.scheme not in ("http", "https") or not url.host_str:
        raise ItemFailed("bad_next_url", f"the next URL has the scheme {url.scheme}")
    if (origin.scheme, url.scheme) == ("https", "http") and origin.host_str == url.host_str:
        url = url.with_scheme("https")
    return str(url)


def pager_for(paginator: Paginator) -> Pager:
    """Return the pager that a paginator describes; raises InvalidInput where it lacks something."""
    kind = paginator.type
    if kind == "page_number":
        return PageNumber(paginator.variable or "page", paginator.start)
    if kind == "offset":
        return Offset(paginator.variable or "offset", paginator.limit)
    if kind == "cursor":
        return Cursor(paginator.variable or "cursor", path=_needed(paginator, "cursor_path"))
    if kind == "header_cursor":
        return Cursor(paginator.variable or "cursor", header=_needed(paginator, "header"))
    if kind == "next_url" and paginator.header and not paginator.next_url_path:
        return NextUrl(header=paginator.header)
    if kind == "next_url":
        return NextUrl(path=_needed(paginator, "next_url_path"))
    return NextUrl(rel=paginator.rel) if kind == "header_link" else Single()


def _needed(paginator: Paginator, name: str) -> str:
    value: str | None = getattr(paginator, name)
    if not value:
        raise InvalidInput(f"paginator.{name}", f"Blank. A paginator of type {paginator.type} needs it.")
    return value
