"""Which paginators a first answer speaks for, with the evidence: proposals, never applied unasked."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

from pyreqwest.http import Url

from swath.flow.definition import Json, Paginator, PaginatorType
from swath.flow.paging.links import find_target
from swath.flow.paging.pagers import Page
from swath.flow.paging.records import asked_size, choose_array, read_count, read_truth

Keys = tuple[str, ...]

#: Objects that fields are looked for in, one inside of the other.
_DEEPEST: Final = 4
#: What the address of a link in a list of links is called.
_HREFS: Final = ("href", "url", "uri")
_URL: Final = re.compile(r"(?:https?:/)?/|\?", re.IGNORECASE)
_IDENTIFIER: Final = re.compile(r"[^\s.\[\]\"']+")


def _names(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z", re.IGNORECASE)


#: What fields of a body are called, and variables or query parameters of a request.
_NEXT: Final = _names(r"next(?:_?page)?(?:_?(?:url|uri|link|href))?|@odata\.nextlink|next_?page_?token")
_CURSOR: Final = _names(
    r"(?:next|end)?_?(?:page)?_?(?:cursor|token|continuation|marker)(?:_?(?:str|id|token))?"
    r"|next_?(?:max_?)?id|scroll_?id|_?scroll_?id|after|next(?:_?page)?"
)
_MORE: Final = _names(
    r"has_?(?:more|next)(?:_?(?:page|pages|items|results))?|more(?:_?available)?|is_?truncated"
)
_TOTAL: Final = _names(
    r"(?:num_?)?total(?:_?(?:count|results|items|records|rows|hits|elements|size))?|(?:result_?)?count|num_?found"
)
_CURSOR_VARIABLE: Final = _names(r".*(?:cursor|after|token|continuation|scroll|marker|max_?id).*")
_PAGE_VARIABLE: Final = _names(r"page(?:_?(?:no|num|number|index))?|p|pg|page\[number\]")
_OFFSET_VARIABLE: Final = _names(r"\$?skip|offset|start(?:_?(?:at|index))?|from|first_?result|page\[offset\]")
_NEXT_HEADER: Final = _names(r"(?:x-)?next(?:-page)?(?:-(?:url|uri|link))?")
_CURSOR_HEADER: Final = _names(
    r"(?:x-)?(?:next-?)?(?:page-?)?(?:cursor|token)|(?:x-)?(?:ms-)?continuation(?:-token)?"
)


#: Kinds that a request alone speaks for, whatever was answered.
COUNTED: Final = ("page_number", "offset")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A paginator and what speaks for it."""

    paginator: Paginator
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    keys: Keys
    value: Json

    @property
    def name(self) -> str:
        return self.keys[-1]

    @property
    def path(self) -> str:
        """The field's path, as `flow/paths.py` reads it."""
        parts = [
            key if _IDENTIFIER.fullmatch(key) and key[0] != "$" else f'["{_escape(key)}"]'
            for key in self.keys
        ]
        return re.sub(r"\.\[", "[", ".".join(parts))


def _escape(key: str) -> str:
    return key.replace("\\", "\\\\").replace('"', '\\"')


def suggest(page: Page, request_names: Collection[str]) -> list[Suggestion]:
    """Return the paginators that a first answer speaks for, the most certain first.

    `request_names` are the variables that the endpoint's templates use.
    """
    fields = list(_fields(page.body))
    found = [
        *_by_link(page),
        *_by_next_url(fields),
        *_by_relation(page.body),
        *_by_cursor(fields, request_names),
        *_by_header(page, request_names),
        *_by_count(page, fields, request_names),
    ]
    return [_complete(each, page, fields) for each in found]


def paging_kind(name: str) -> PaginatorType | None:
    """Return the kind of paging that a request parameter of this name is for, None if for none."""
    if _PAGE_VARIABLE.match(name):
        return "page_number"
    if _OFFSET_VARIABLE.match(name):
        return "offset"
    return "cursor" if _CURSOR_VARIABLE.match(name) else None


def is_whole(page: Page) -> bool:
    """Tell whether an answer says that it holds all there is: by its flag, or by a total that its rows reach.

    A mere `count` is as likely the page's own.
    """
    fields, array = list(_fields(page.body)), choose_array(page.body)
    flags = [read_truth(each.value) for each in fields if _MORE.match(each.name) and _is_flag(each.value)]
    totals = [
        read_count(each.value)
        for each in fields
        if _TOTAL.match(each.name) and re.search("total|found", each.name, re.IGNORECASE)
    ]
    known = [total for total in totals if total is not None]
    rows = len(array[1]) if array else 0
    return flags == [False] or (not flags and bool(known) and max(known) <= rows)


def _fields(body: Json, keys: Keys = ()) -> Iterator[_Field]:
    """Yield the fields outside of arrays, down to a few levels; an object may be a link (`{"href": ...}`)."""
    if not isinstance(body, dict) or len(keys) > _DEEPEST:
        return
    for key, value in body.items():
        if not isinstance(value, list):
            yield _Field((*keys, key), value)
        yield from _fields(value, (*keys, key))


def _by_link(page: Page) -> Iterator[Suggestion]:
    target = find_target([value for name, value in page.headers if name.lower() == "link"], "next")
    if target is not None:
        yield Suggestion(Paginator(type="header_link"), (f"the Link header has rel=next: {target}",))


def _by_next_url(fields: list[_Field]) -> Iterator[Suggestion]:
    for field in fields:
        target = field.value.get("href") if isinstance(field.value, dict) else field.value
        if _NEXT.match(field.name) and isinstance(target, str) and _URL.match(target):
            yield Suggestion(
                Paginator(type="next_url", next_url_path=field.path),
                (f"{field.path} is the address of a next page: {target}",),
            )


def _by_relation(body: Json, keys: Keys = ()) -> Iterator[Suggestion]:
    """Suggest what a list of links says, as `[{"rel": "next", "href": "..."}]`."""
    for key, value in body.items() if isinstance(body, dict) and len(keys) <= _DEEPEST else ():
        for link in value if isinstance(value, list) else ():
            name = next((name for name in _HREFS if isinstance(link, dict) and name in link), None)
            target = link[name] if name and link.get("rel") in ("next", ["next"]) else None
            if isinstance(target, str) and _URL.match(target):
                place = "".join(map(_write_step, (*keys, key)))
                chosen = "@.rel == 'next'" if link["rel"] == "next" else "@.rel[0] == 'next'"
                yield Suggestion(
                    Paginator(type="next_url", next_url_path=f"${place}[?{chosen}].{name}"),
                    (f"{'.'.join((*keys, key))} has a link with rel=next: {target}",),
                )
                return
        yield from _by_relation(value, (*keys, key))


def _write_step(key: str) -> str:
    return f".{key}" if key.isidentifier() and key.isascii() else f"[{json.dumps(key)}]"


def _by_cursor(fields: list[_Field], names: Collection[str]) -> Iterator[Suggestion]:
    for field in fields:
        if _CURSOR.match(field.name) and _is_token(field.value):
            variable, reason = _variable(_CURSOR_VARIABLE, names, "cursor")
            yield Suggestion(
                Paginator(type="cursor", cursor_path=field.path, variable=variable),
                (f"{field.path} holds a token: {field.value}", reason),
            )


def _is_token(value: Json) -> bool:
    if isinstance(value, str):
        return value != "" and not _URL.match(value)
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _by_header(page: Page, names: Collection[str]) -> Iterator[Suggestion]:
    for name, value in page.headers:
        if _NEXT_HEADER.match(name) and _URL.match(value):
            told = f"the header {name} is the address of a next page: {value}"
            yield Suggestion(Paginator(type="next_url", header=name), (told,))
        if _CURSOR_HEADER.match(name) and value:
            variable, reason = _variable(_CURSOR_VARIABLE, names, "cursor")
            yield Suggestion(
                Paginator(type="header_cursor", header=name, variable=variable),
                (f"the header {name} holds a token: {value}", reason),
            )


def _by_count(page: Page, fields: list[_Field], names: Collection[str]) -> Iterator[Suggestion]:
    """Suggest counting pages or rows where the request itself has a place for their number."""
    sent = dict(Url(page.url).query_pairs)
    for pattern, kind in ((_PAGE_VARIABLE, "page_number"), (_OFFSET_VARIABLE, "offset")):
        name = next((name for name in (*names, *sent) if pattern.match(name)), None)
        if name is None:
            continue
        evidence = (f"the request has {name}" + (f"={sent[name]}" if name in sent else ""),)
        if kind == "offset":
            yield Suggestion(
                Paginator(type="offset", variable=name, limit=asked_size(page.url) or None), evidence
            )
        else:
            start = read_count(sent.get(name))
            yield Suggestion(
                Paginator(type="page_number", variable=name, start=1 if start is None else start), evidence
            )


def _variable(pattern: re.Pattern[str], names: Collection[str], default: str) -> tuple[str, str]:
    name = next(filter(pattern.match, sorted(names)), None)
    if name is None:
        return (
            default,
            f"no variable of the endpoint takes it yet: use {{{{{default}}}}}, with an empty default",
        )
    return name, f"the endpoint has the variable {name}"


def _complete(found: Suggestion, page: Page, fields: list[_Field]) -> Suggestion:
    """Add where the records, the total and the has-more flag stand."""
    evidence, paginator = list(found.evidence), found.paginator
    array = choose_array(page.body)
    rows = array[1] if array else []
    if array and array[0]:
        path = _Field(array[0], rows).path
        paginator = replace(paginator, record_path=path)
        evidence.append(f"{path} is the largest array, of {len(rows)}")
    more = next((field for field in fields if _MORE.match(field.name) and _is_flag(field.value)), None)
    if more:
        paginator = replace(paginator, has_more_path=more.path)
        evidence.append(f"{more.path} is {str(more.value).lower()}")
    # A "count" that equals the rows of this page is as likely the page's own.
    total = next((f for f in fields if _TOTAL.match(f.name) and (read_count(f.value) or 0) > len(rows)), None)
    if total:
        paginator = replace(paginator, total_path=total.path)
        evidence.append(f"{total.path} is {total.value}, more than the {len(rows)} rows here")
    return Suggestion(paginator, tuple(evidence))


def _is_flag(value: Json) -> bool:
    return isinstance(value, bool) or (
        isinstance(value, str) and read_truth(value) in (True, False) and value != ""
    )
