"""HAR files, as browsers and proxies record them: the requests for data, the pages of a listing together."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode, urlsplit

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.paging import Page
from swath.importers.addresses import is_address
from swath.importers.alike import merge_alike
from swath.importers.documents import clean, objects
from swath.importers.imported import Draft, Imported
from swath.importers.listings import add_listing, group_pages
from swath.importers.recorded import Recorded

_ASSETS: Final = re.compile(
    r"image/|font/|video/|audio/|text/css|javascript|application/(?:wasm|font)", re.IGNORECASE
)
_ASSET_NAMES: Final = re.compile(
    r"\.(?:png|jpe?g|gif|svg|ico|webp|avif|css|m?js|map|woff2?|ttf|mp4|webm|wasm)$", re.I
)
_ASSET_KINDS: Final = frozenset("image font stylesheet script media manifest texttrack websocket".split())  # noqa: SIM905
_TRACKERS: Final = re.compile(
    r"(?:^|\.)(?:google-analytics|googletagmanager|doubleclick|googlesyndication|segment|sentry|hotjar|mixpanel"
    r"|amplitude|facebook|newrelic|nr-data|datadoghq|fullstory|clarity|intercom|bugsnag|branch|appsflyer|matomo"
    r"|optimizely|launchdarkly|scorecardresearch|criteo|adnxs|taboola|outbrain|cookielaw|onetrust|posthog|heap)\."
    r"(?:com|io|net|org|ms|dev)$"
)
#: Headers of a form that Firefox writes before what it posts.
_UPLOAD: Final = re.compile(r"\A(?:Content-(?:Type|Length|Disposition): [^\r\n]*\r\n)+\r\n", re.IGNORECASE)
_TRACKING: Final = re.compile(
    r"/(?:collect|beacon|pixel|telemetry|analytics|rum|ping|track|metrics)/?$", re.IGNORECASE
)


def read_har(text: str) -> Imported:
    """Return the formula of a HAR file: an endpoint and a workflow for each listing, the longest first.

    Takes the requests that were answered with JSON; where there are none, all others that are no assets.
    Raises InvalidInput for a text that is no HAR file, or holds no such request.
    """
    draft = Draft()
    kept: list[tuple[Recorded, bool]] = []
    left: Counter[str] = Counter()
    for number, entry in enumerate(_entries(text)):
        request = _read_entry(entry, number)
        noise = _noise(entry, request)
        if noise is None:
            kept.append((request, _is_json(entry, request)))
        else:
            left[noise] += 1
    chosen = [request for request, is_json in kept if is_json] or [request for request, _ in kept]
    left["without a JSON answer"] = len(kept) - len(chosen)
    _note_left(left, draft)
    if not chosen:
        message = "There is no request for data in it. Record the page again while it loads its lists."
        raise InvalidInput("log.entries", " ".join([message, *draft.notes]))
    for pages in group_pages(chosen):
        add_listing(pages, draft)
    merge_alike(draft, headers=False)
    if not draft.endpoints:
        raise InvalidInput("log.entries", " ".join(draft.notes))
    if not any(
        name.lower() in ("cookie", "authorization") for request in chosen for name, _ in request.headers
    ):
        draft.note(
            "No request has cookies or an Authorization: some browsers leave them out of what they export."
        )
    return draft.finish()


def _entries(text: str) -> list[dict[str, Json]]:
    try:
        document = clean(json.loads(text.removeprefix("\ufeff")))
    except ValueError as error:
        raise InvalidInput("har", f"Not valid JSON: {error}. Save the HAR file again.") from None
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise InvalidInput("log.entries", "Blank. A HAR file has a list of entries in its log.")
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("request"), dict)]


# --- what is noise


def _note_left(left: Counter[str], draft: Draft) -> None:
    told = [f"{count} {kind}" for kind, count in left.items() if count]
    if told:
        draft.note(f"Left out of the recording: {', '.join(told)}.")


def _noise(entry: dict[str, Json], request: Recorded) -> str | None:
    """Return what kind of noise an entry is, None for a request for data."""
    if not is_address(request.url):
        return "not of http"
    parts = urlsplit(request.url)
    kind = str(entry.get("_resourceType") or "").lower()
    if request.method == "OPTIONS" or kind == "preflight":
        return "preflights"
    if (
        _TRACKERS.search(parts.hostname or "")
        or kind in ("ping", "beacon")
        or _is_tracking(request, parts.path)
    ):
        return "of trackers"
    mime = _mime(entry)
    if "json" in mime:
        return None if _status(entry) else "not answered"
    if kind in _ASSET_KINDS or _ASSETS.search(mime) or _ASSET_NAMES.search(parts.path):
        return "images, scripts and other assets"
    if not _status(entry):
        return "not answered"
    return "redirects" if 300 <= _status(entry) < 400 and _status(entry) != 304 else None


def _is_tracking(request: Recorded, path: str) -> bool:
    return request.method == "POST" and _TRACKING.search(path) is not None


def _is_json(entry: dict[str, Json], request: Recorded) -> bool:
    return "json" in _mime(entry) or (
        request.answer is not None and isinstance(request.answer.body, dict | list)
    )


def _response(entry: dict[str, Json]) -> dict[str, Json]:
    response = entry.get("response")
    return response if isinstance(response, dict) else {}


def _status(entry: dict[str, Json]) -> int:
    status = _response(entry).get("status")
    return status if isinstance(status, int) else 0


def _mime(entry: dict[str, Json]) -> str:
    content = _response(entry).get("content")
    return str(content.get("mimeType") or "").lower() if isinstance(content, dict) else ""


# --- one entry


def _read_entry(entry: dict[str, Json], number: int) -> Recorded:
    request = entry["request"]
    url, method = request.get("url"), request.get("method") or "GET"
    if not isinstance(url, str) or not url:
        raise InvalidInput(f"log.entries[{number}].request.url", "Blank. Each entry needs the address asked.")
    headers = tuple(_pairs(request.get("headers")))
    names = {name.lower() for name, _ in headers}
    cookies = "; ".join(f"{name}={value}" for name, value in _pairs(request.get("cookies")))
    if cookies and "cookie" not in names:
        headers += (("Cookie", cookies),)
    posted = request.get("postData") if isinstance(request.get("postData"), dict) else None
    body, multipart = _read_body(posted) if posted else (None, None)
    if posted and "content-type" not in names and posted.get("mimeType"):
        headers += (("Content-Type", str(posted["mimeType"])),)
    return Recorded(
        method=str(method).upper(),
        url=url,
        headers=headers,
        body=body,
        multipart=multipart,
        answer=_read_answer(entry, url),
    )


def _pairs(listed: Json) -> Iterator[tuple[str, str]]:
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            yield each["name"], str(each.get("value") or "")


def _read_body(posted: dict[str, Json]) -> tuple[str | None, dict[str, Json] | None]:
    """Return the text that was posted, or its parts where only those were recorded."""
    text, kind = posted.get("text"), str(posted.get("mimeType") or "")
    parameters = objects(posted.get("params"))
    if isinstance(text, str) and text:
        return _UPLOAD.sub("", text), None
    if not parameters:
        return None, None
    if not kind.startswith("multipart/"):
        return urlencode([(each.get("name", ""), each.get("value", "")) for each in parameters]), None
    parts: dict[str, Json] = {}
    for each in parameters:
        parts[str(each.get("name", ""))] = _read_part(each)
    return None, parts


def _read_part(part: dict[str, Json]) -> Json:
    content = str(part.get("value") or "")
    if "fileName" not in part:
        return content
    kind = part.get("contentType") or "application/octet-stream"
    return {"filename": part["fileName"], "content": content, "content_type": kind}


def _read_answer(entry: dict[str, Json], url: str) -> Page | None:
    """Return a whole answer, None where it is not good or not JSON."""
    response = _response(entry)
    content = response.get("content")
    text = content.get("text") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(text, str) or not 200 <= _status(entry) < 300:
        return None
    try:
        if content.get("encoding") == "base64":
            text = base64.b64decode(text).decode()
        body = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None
    headers = [(name.lower(), value) for name, value in _pairs(response.get("headers"))]
    return Page(_status(entry), headers, body, url)
