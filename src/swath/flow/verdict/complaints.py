"""What an error body says: whether it is nothing but an error, in which words, and of which sort."""

import re
from collections.abc import Collection, Mapping
from typing import Final, Literal

from swath.flow.definition import Json

Sort = Literal["rate_limit", "temporary", "block_page"]

_LONGEST: Final = 300
#: Keys whose value, where there is one, is an error.
_ERRORS: Final = (
    "error",
    "errors",
    "error_message",
    "errorMessage",
    "error_description",
    "error_msg",
    "errorDescription",
    "fault",
    "exception",
    "Error",
    "Errors",
)
#: Keys that go along with an error and are no data.
_META: Final = """
    code error_code errorCode status statusCode status_code success ok type instance path message msg Message
    detail details description reason title info hint meta extensions timestamp time request_id requestId
    req_id trace_id traceId correlation_id version jsonrpc documentation_url help_url doc_url href method
"""
_ALONGSIDE: Final = frozenset((*_ERRORS, *_META.split()))
#: A body without any of these says nothing of an error.
_SIGNS: Final = frozenset((*_ERRORS, "success", "ok", "status"))
_HTML: Final = (b"<!doctype html", b"<html", b"<head", b"<body")
_WORDS: Final = ("message", "msg", "detail", "details", "description", "reason", "title", "Message", "info")
_PATTERNS: Final[Mapping[Sort, re.Pattern[str]]] = {
    "rate_limit": re.compile(
        r"rate.?limit|too.?many.?(?:request|call)|throttl|slow.?down|request limit|calls? (?:per|quota)", re.I
    ),
    "temporary": re.compile(
        r"temporar|try again|retry later|time.?out|unavailable|overload|internal (?:server )?error"
        r"|maintenance",
        re.I,
    ),
    "block_page": re.compile(
        r"captcha|not a robot|are you (?:a )?(?:robot|human)|verify(?:ing)? (?:that )?you are (?:a )?human"
        r"|access (?:to this page )?(?:has been |is )?(?:denied|blocked)|attention required|cf-chl"
        r"|challenge-platform|px-captcha|perimeterx|datadome|incapsula|imperva|unusual traffic"
        r"|request (?:was |has been )?blocked|you have been blocked|bot detect|ddos protection"
        r"|checking your browser",
        re.I,
    ),
}


def reads_as(sort: Sort, text: str) -> bool:
    return _PATTERNS[sort].search(text) is not None


def is_html(content_type: str, body: bytes) -> bool:
    """Tell whether a body is a page for people, by its type or its beginning."""
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "html" in content_type.lower() or start.startswith(
        (b"<!doctype html", b"<html", b"<head", b"<body")
    )


def may_tell_error(keys: Collection[str]) -> bool:
    """Tell whether a body with these keys may be nothing but an error."""
    return not _SIGNS.isdisjoint(keys)


def is_error_only(value: Json) -> bool:
    """Tell whether a body that came as a success holds an error and no data."""
    if not isinstance(value, dict) or not may_tell_error(value):
        return False
    return _tells_error(value) and all(
        key in _ALONGSIDE or _is_nothing(member) for key, member in value.items()
    )


def _tells_error(value: Mapping[str, Json]) -> bool:
    if any(value.get(key) for key in _ERRORS):
        return True
    if value.get("success") is False or value.get("ok") is False:
        return True
    status = value.get("status")
    return isinstance(status, str) and status.lower() in ("error", "fail")


def _is_nothing(value: Json) -> bool:
    """Tell whether a value holds no data: GraphQL sends `{"data": {"user": null}}` beside errors."""
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return value is None or value is False or value in ("", [], 0)


def explain(value: Json) -> str:
    """Return an error body's own words, shortened; empty where it has none."""
    return " ".join(_words(value).split())[:_LONGEST]


def _words(value: Json, depth: int = 0) -> str:
    if isinstance(value, str):
        return value
    if depth > 4:
        return ""
    if isinstance(value, list):
        return next(filter(None, (_words(each, depth + 1) for each in value[:3])), "")
    if isinstance(value, dict):
        keys = (*_ERRORS, *_WORDS) if depth == 0 else (*_WORDS, *_ERRORS)
        return next(filter(None, (_words(value[key], depth + 1) for key in keys if value.get(key))), "")
    return ""
