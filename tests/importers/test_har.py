# ruff: noqa: E501 - a request in a line
"""HAR files in the shapes that browsers and proxies write: what is sent is what was recorded."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from pyreqwest.http import Url
from tests.importers.wire import HOST, OWN, Told, check_formula, is_default, local, send
from tests.upstreams.scripted import Scripted

from swath.errors import InvalidInput
from swath.importers import read_har

Json = Any

FORM = "application/x-www-form-urlencoded"
ROWS = [{"id": number, "name": f"row {number}"} for number in range(3)]


def pairs(given: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in given.items()]


def entry(
    url: str,
    answer: Json = ROWS,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    post: dict[str, Json] | None = None,
    status: int = 200,
    mime: str = "application/json",
    answer_headers: dict[str, str] | None = None,
    **more: Json,
) -> dict[str, Json]:
    """An entry as Chrome writes it."""
    request: dict[str, Json] = {
        "method": method,
        "url": url,
        "httpVersion": "http/2.0",
        "headers": pairs(
            {":method": method, ":scheme": "https", ":authority": "api.example.com", **(headers or {})}
        ),
        "queryString": [],
        "cookies": [],
        "headersSize": -1,
        "bodySize": 0,
    }
    if post is not None:
        request["postData"] = post
    text = answer if isinstance(answer, str) else json.dumps(answer)
    response = {
        "status": status,
        "statusText": "",
        "httpVersion": "http/2.0",
        "headers": pairs({"content-type": mime, **(answer_headers or {})}),
        "cookies": [],
        "content": {"size": len(text), "mimeType": mime, "text": text},
        "redirectURL": "",
    }
    return {
        "_resourceType": "fetch",
        "_initiator": {"type": "script"},
        "startedDateTime": "2024-05-01T10:00:00.000Z",
        "time": 12.3,
        "request": request,
        "response": response,
        "cache": {},
        "timings": {"send": 0, "wait": 1, "receive": 1},
        **more,
    }


def firefox(url: str, answer: Json = ROWS, **more: Json) -> dict[str, Json]:
    """Firefox: HTTP/1.1 names in their own case, cookies listed beside, parameters listed beside the text."""
    made = entry(url, answer, **more)
    request = made["request"]
    request["httpVersion"] = "HTTP/2"
    request["headers"] = [each for each in request["headers"] if not each["name"].startswith(":")]
    request["headers"] += pairs(
        {"Host": "api.example.com", "Accept-Encoding": "gzip, deflate, br", "TE": "trailers"}
    )
    made.pop("_initiator"), made.pop("_resourceType")
    return {"pageref": "page_1", **made, "serverIPAddress": "192.0.2.1", "connection": "443"}


def har(*entries: dict[str, Json], creator: str = "WebInspector") -> str:
    log = {
        "version": "1.2",
        "creator": {"name": creator, "version": "537.36"},
        "pages": [],
        "entries": list(entries),
    }
    return json.dumps({"log": log}, ensure_ascii=False, indent=2)


def said(one: dict[str, Json], upstream: Scripted) -> Told:
    """The request that an entry says was sent."""
    request = one["request"]
    headers = {each["name"].lower(): each["value"] for each in request["headers"]}
    if request["cookies"] and "cookie" not in headers:
        headers["cookie"] = "; ".join(f"{each['name']}={each['value']}" for each in request["cookies"])
    posted = request.get("postData")
    body = b""
    if posted:
        headers.setdefault("content-type", posted["mimeType"])
        text = posted.get("text") or urlencode(
            [(each["name"], each["value"]) for each in posted.get("params", [])]
        )
        body = text.encode()
    left = {*OWN, "if-none-match"}
    kept = {
        name: value
        for name, value in headers.items()
        if not (name in left or name.startswith(":") or is_default(name, value))
    }
    return Told(request["method"], str(Url(local(request["url"], upstream))), kept, body)


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
JSON_POST = {"mimeType": "application/json", "text": '{"query":"shoes","sizes":[41,42],"in_stock":true}'}

#: One recorded request each.
SINGLE = {
    "chrome": entry(f"{HOST}/api/items", headers={"accept": "application/json", "user-agent": "Mozilla/5.0"}),
    "chrome with a query": entry(f"{HOST}/search?q=caf%C3%A9+au%20lait&sort=price&order=asc"),
    "chrome with encoded brackets": entry(f"{HOST}/x?filter%5Bstate%5D=open&include=a%2Cb"),
    "chrome with a token": entry(f"{HOST}/me", headers={"authorization": f"Bearer {TOKEN}"}),
    "chrome with cookies": entry(f"{HOST}/x", headers={"cookie": "sid=abcdef0123; theme=dark"}),
    "chrome with odd headers": entry(
        f"{HOST}/x", headers={"sec-ch-ua": '"Chromium";v="131"', "priority": "u=1, i", "x-requested-with": "XMLHttpRequest"}
    ),
    "chrome with a cached answer": entry(f"{HOST}/x", headers={"if-none-match": 'W/"1"'}, status=304),
    "chrome post": entry(f"{HOST}/search", method="POST", headers={"content-type": "application/json"}, post=JSON_POST),
    "chrome post of a form": entry(
        f"{HOST}/search",
        method="POST",
        post={
            "mimeType": "application/x-www-form-urlencoded",
            "text": "q=shoes+and+more&size=41",
            "params": pairs({"q": "shoes and more", "size": "41"}),
        },
    ),
    "chrome post of text": entry(f"{HOST}/q", method="POST", post={"mimeType": "text/plain;charset=UTF-8", "text": "a\nb"}),
    "chrome graphql": entry(
        f"{HOST}/graphql",
        {"data": {"items": ROWS}},
        method="POST",
        post={
            "mimeType": "application/json",
            "text": '{"operationName":"Items","variables":{"first":10},"query":"query Items($first: Int) { items(first: $first) { id } }"}',
        },
    ),
    "chrome with braces": entry(f"{HOST}/x?t=%7B%7Ba%7D%7D", headers={"x-template": "{{ not ours }} {% nor this %}"}),
    "chrome put": entry(f"{HOST}/items/1", {"id": 1}, method="PUT", post=JSON_POST),
    "chrome delete": entry(f"{HOST}/items/1", {"deleted": True}, method="DELETE"),
    "chrome with a port": entry(f"{HOST}/v1/things?x"),
    "chrome base64 answer": entry(f"{HOST}/x", base64.b64encode(json.dumps(ROWS).encode()).decode()),
    "firefox": firefox(f"{HOST}/api/items?a=1", headers={"Accept": "*/*", "User-Agent": "Mozilla/5.0", "DNT": "1"}),
    "firefox post": firefox(f"{HOST}/items", method="POST", headers={"Content-Type": "application/json"}, post={**JSON_POST, "params": []}),
    "firefox post of a form": firefox(
        f"{HOST}/items",
        method="POST",
        post={"mimeType": "application/x-www-form-urlencoded", "params": pairs({"a": "1 2", "b": "é"}), "text": "a=1+2&b=%C3%A9"},
    ),
    "safari without text": entry(f"{HOST}/list", method="POST", post={"mimeType": "application/x-www-form-urlencoded", "params": pairs({"a": "1", "b": "x y"})}),
    "charles without cookie headers": entry(f"{HOST}/x"),
    "mitmproxy json without a mime type": entry(f"{HOST}/x", mime=""),
    "vendor json": entry(f"{HOST}/x", mime="application/vnd.api+json; charset=utf-8"),
    "api key in the query": entry(f"{HOST}/x?api_key=0123456789abcdef&q=1"),
    "a secret in the body": entry(f"{HOST}/login", {"ok": True}, method="POST", post={"mimeType": "application/json", "text": '{"user":"ann","password":"s3cret99"}'}),
}  # fmt: skip
SINGLE["charles without cookie headers"]["request"]["cookies"] = pairs({"sid": "abcdef0123", "lang": "de"})
SINGLE["chrome base64 answer"]["response"]["content"]["encoding"] = "base64"


@pytest.mark.parametrize("name", SINGLE)
async def test_what_was_recorded_is_sent(name: str, upstream: Scripted) -> None:
    """Method, address, headers and body."""
    source = har(SINGLE[name])
    imported = read_har(local(source, upstream))
    check_formula(imported)
    sent, expected = await send(imported, upstream), said(json.loads(source)["log"]["entries"][0], upstream)
    assert sent == [expected]


PAGED: dict[str, tuple[list[dict[str, Json]], dict[str, Json], str]] = {
    "page numbers": (
        [entry(f"{HOST}/items?page={page}&q=x", {"items": ROWS, "total": 60}) for page in (1, 2, 3)],
        {"type": "page_number", "variable": "page", "record_path": "items", "total_path": "total"},
        "a later request has page=2",
    ),
    "page numbers from 0, out of order": (
        [entry(f"{HOST}/items?page={page}", {"content": ROWS, "totalElements": 60}) for page in (2, 0, 1)],
        {"type": "page_number", "variable": "page", "start": 0, "record_path": "content", "total_path": "totalElements"},
        "the request has page=0",
    ),
    "offsets": (
        [entry(f"{HOST}/items?limit=3&offset={offset}", {"results": ROWS, "count": 60}) for offset in (0, 3, 6)],
        {"type": "offset", "variable": "offset", "limit": 3, "record_path": "results", "total_path": "count"},
        "a later request has offset=3",
    ),
    "a cursor": (
        [
            entry(f"{HOST}/items?limit=3", {"data": ROWS, "next_cursor": "abc"}),
            entry(f"{HOST}/items?limit=3&cursor=abc", {"data": ROWS, "next_cursor": "def"}),
        ],
        {"type": "cursor", "variable": "cursor", "cursor_path": "next_cursor", "record_path": "data"},
        "the next request sent it as cursor",
    ),
    "a cursor by another name": (
        [
            entry(f"{HOST}/items", {"data": ROWS, "meta": {"next_token": "t-1"}, "hasMore": True}),
            entry(f"{HOST}/items?start_after=t-1", {"data": ROWS, "meta": {"next_token": "t-2"}, "hasMore": True}),
        ],
        {"type": "cursor", "variable": "start_after", "cursor_path": "meta.next_token", "record_path": "data", "has_more_path": "hasMore"},
        "the next request sent it as start_after",
    ),
    "a next address": (
        [
            entry(f"{HOST}/items?page=1", {"results": ROWS, "next": f"{HOST}/items?page=2"}),
            entry(f"{HOST}/items?page=2", {"results": ROWS, "next": None}),
        ],
        {"type": "next_url", "next_url_path": "next", "record_path": "results"},
        "the next request went there",
    ),
    "a Link header": (
        [
            entry(f"{HOST}/items?page=1", ROWS, answer_headers={"link": f'<{HOST}/items?page=2>; rel="next"'}),
            entry(f"{HOST}/items?page=2", ROWS),
        ],
        {"type": "header_link"},
        "the Link header has rel=next",
    ),
    "one page only": (
        [entry(f"{HOST}/items?per_page=3&page=1", {"items": ROWS, "total_count": 9})],
        {"type": "page_number", "variable": "page", "record_path": "items", "total_path": "total_count"},
        "total_count is 9",
    ),
    "a page in brackets": (
        [entry(f"{HOST}/items?page%5Bnumber%5D={page}&page%5Bsize%5D=3", {"data": ROWS}) for page in (1, 2)],
        {"type": "page_number", "variable": "page_number", "record_path": "data"},
        "page[number]=2",
    ),
    "answers not kept": (
        [entry(f"{HOST}/items?offset={offset}", "") for offset in (0, 20, 40)],
        {"type": "offset", "variable": "offset", "limit": 20},
        "offset=0, 20, 40",
    ),
    "in the body": (
        [
            entry(f"{HOST}/search", {"hits": ROWS, "total": 90}, method="POST", post={"mimeType": "application/json", "text": json.dumps({"q": "x", "from": offset, "size": 3}, separators=(",", ":"))})
            for offset in (0, 3)
        ],
        {"type": "offset", "variable": "from", "record_path": "hits", "total_path": "total"},
        "a later request has from=3",
    ),
    "pages of a form": (
        [
            entry(f"{HOST}/more", {"posts": ROWS}, method="POST", headers={"content-type": FORM}, post={"mimeType": FORM, "text": f"action=more&page={page}&ids%5B%5D=1"})
            for page in (1, 2)
        ],
        {"type": "page_number", "variable": "page", "record_path": "posts"},
        "a later request has page=2",
    ),
    "graphql cursors in variables": (
        [
            entry(f"{HOST}/graphql", {"data": {"items": {"nodes": ROWS, "pageInfo": {"hasNextPage": True, "endCursor": f"c{number}"}}}}, method="POST", post={"mimeType": "application/json", "text": json.dumps({"query": "{items}", "variables": {"first": 3, **after}}, separators=(",", ":"))})
            for number, after in ((1, {}), (2, {"after": "c1"}))
        ],
        {"type": "cursor", "variable": "after", "cursor_path": "data.items.pageInfo.endCursor", "has_more_path": "data.items.pageInfo.hasNextPage", "record_path": "data.items.nodes"},
        "the next request sent it as after",
    ),
    "graphql pages in variables called as what stands beside": (
        [
            entry(f"{HOST}/graphql", {"data": {"items": ROWS}}, method="POST", post={"mimeType": "application/json", "text": json.dumps({"query": "{items}", "variables": {"query": "x", "page": page}}, separators=(",", ":"))})
            for page in (1, 2)
        ],
        {"type": "page_number", "variable": "page", "record_path": "data.items"},
        "a later request has page=2",
    ),
    "graphql without pages": (
        [entry(f"{HOST}/graphql", {"data": {"items": ROWS}}, method="POST", post={"mimeType": "application/json", "text": '{"query":"{items}","variables":{}}'})],
        {},
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGED)
async def test_pages_of_one_listing_are_one_workflow(name: str, upstream: Scripted) -> None:
    """With the paginator that requests and answers speak for; its first request is the first page's."""
    entries, paginator, evidence = PAGED[name]
    imported = read_har(local(har(*entries), upstream))
    check_formula(imported)
    (workflow,) = imported.formula["workflows"].values()
    assert workflow.get("paginator", {}) == paginator
    assert evidence in " ".join(imported.notes)
    first = min(
        (said(each, upstream) for each in entries),
        key=lambda told: (len(told.url), told.url, len(told.body), str(told.body)),
    )
    assert await send(imported, upstream) == [first]


def test_noise_is_left_out_and_counted() -> None:
    """Assets, preflights, trackers, pages and what was not answered: nobody asks for them again."""
    noise = [
        entry(f"{HOST}/", "<html></html>", mime="text/html", _resourceType="document"),
        entry(f"{HOST}/logo.png", "", mime="image/png", _resourceType="image"),
        entry(f"{HOST}/app.js", "", mime="text/javascript", _resourceType="script"),
        entry(f"{HOST}/items", "", method="OPTIONS", mime="", _resourceType="preflight"),
        entry("https://www.google-analytics.com/g/collect?v=2", "", mime="text/plain"),
        entry("https://o1.ingest.sentry.io/api/1/envelope/", {}, method="POST"),
        entry(f"{HOST}/collect", {}, method="POST"),
        entry(f"{HOST}/gone", "", status=0),
        entry(f"{HOST}/old", "", status=301, mime=""),
        entry("wss://api.example.com/socket", "", mime=""),
        entry("data:image/png;base64,AAAA", "", mime="image/png"),
    ]
    imported = read_har(har(*noise, entry(f"{HOST}/items")))
    assert list(imported.formula["endpoints"]) == ["Items"]
    assert imported.notes[0] == (
        "Left out of the recording: 2 images, scripts and other assets, 1 preflights, 3 of trackers, 1 not answered, "
        "1 redirects, 2 not of http, 1 without a JSON answer."
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, "q=a+b&limit=10"),
        (
            "multipart/form-data; boundary=-1",
            '---1\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n---1--\r\n',
        ),
    ],
)
async def test_headers_that_firefox_writes_before_a_form_are_not_sent(
    kind: str, body: str, upstream: Scripted
) -> None:
    """The text that it records of a form begins with the form's own headers."""
    head = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    posts = [{"mimeType": kind, "params": [], "text": text} for text in (head + body, body)]
    recorded, plain = (
        firefox(f"{HOST}/s", method="POST", headers={"Content-Type": kind}, post=post) for post in posts
    )
    imported = read_har(local(har(recorded), upstream))
    check_formula(imported)
    assert await send(imported, upstream) == await send(read_har(local(har(plain), upstream)), upstream)


@pytest.mark.parametrize(
    ("addresses", "url", "query", "values"),
    [
        (["/v1/parts/AB-12/x", "/v1/parts/AB-13/x"], "/v1/parts/{{part_id}}/x", {}, ["AB-12", "AB-13"]),
        (["/items/11", "/items/12", "/items/11", "/items/13"], "/items/{{item_id}}", {}, ["11", "12", "13"]),
        (
            ["/s?q=tea&lang=en", "/s?q=black+tea&lang=en"],
            "/s",
            {"q": "{{q}}", "lang": "en"},
            ["tea", "black tea"],
        ),
        (
            ["/users/7/posts/1", "/users/7/posts/2", "/users/7/posts/3"],
            "/users/7/posts/{{post_id}}",
            {},
            ["1", "2", "3"],
        ),
    ],
)
async def test_requests_that_differ_in_one_value_are_one_with_a_list(
    addresses: list[str], url: str, query: dict[str, str], values: list[str], upstream: Scripted
) -> None:
    """However often each was asked; headers that count requests may differ."""
    entries = [
        entry(HOST + address, {"id": n}, headers={"x-request-id": str(n)})
        for n, address in enumerate(addresses)
    ]
    imported = read_har(har(*entries))
    check_formula(imported)
    ((name, endpoint),) = imported.formula["endpoints"].items()
    assert (endpoint["url"], endpoint.get("query", {})) == (HOST + url, query)
    ((variable, listed),) = imported.formula["collections"].items()
    assert listed == values
    assert imported.formula["workflows"][name]["mappings"] == [
        {"target_variable_name": variable, "source_collection": variable}
    ]
    assert not any(f"{value} looks like" in note for note in imported.notes for value in values)
    there = read_har(local(har(*entries), upstream))
    for value, address in zip(values, dict.fromkeys(addresses), strict=True):
        (sent,) = await send(there, upstream, {variable: value})
        assert sent.url == str(Url(upstream.url + address.replace("+", "%20")))


def test_what_differs_in_more_stays_apart() -> None:
    """Other places, other methods, other bodies, other fixed values: nobody asked for their product."""
    post = {"mimeType": "application/json", "text": '{"a":1}'}
    imported = read_har(
        har(
            entry(f"{HOST}/items/11?full=1"),
            entry(f"{HOST}/items/12"),
            entry(f"{HOST}/items/13", method="POST", post=post),
            entry(f"{HOST}/shops/14"),
            entry(f"{HOST}/v1/shops"),
            entry(f"{HOST}/v2/shops"),
            entry(f"{HOST}/v2/people"),
        )
    )
    check_formula(imported)
    assert len(imported.formula["endpoints"]) == 7
    assert "collections" not in imported.formula


def test_longest_listings_come_first() -> None:
    imported = read_har(
        har(entry(f"{HOST}/me", {"id": 1}), entry(f"{HOST}/few", ROWS[:1]), entry(f"{HOST}/many", ROWS))
    )
    assert list(imported.formula["workflows"]) == ["Many", "Few", "Me"]


def test_other_answers_are_taken_where_there_is_no_json() -> None:
    imported = read_har(har(entry(f"{HOST}/export.csv", "a,b\n1,2", mime="text/csv")))
    assert list(imported.formula["endpoints"]) == ["Export csv"]


def test_secrets_of_a_recording_leave_the_formula() -> None:
    imported = read_har(
        har(entry(f"{HOST}/me", headers={"authorization": f"Bearer {TOKEN}", "cookie": "sid=abcdef0123"}))
    )
    check_formula(imported)
    assert imported.secrets == {"token": TOKEN, "cookie": "sid=abcdef0123"}


def test_a_recording_without_credentials_says_so() -> None:
    assert any("No request has cookies" in note for note in read_har(har(entry(f"{HOST}/me"))).notes)


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("", "har", "Not valid JSON"),
        ("[]", "log.entries", "Blank"),
        ('{"log": {}}', "log.entries", "Blank"),
        (har(), "log.entries", "no request for data"),
        (har(entry(f"{HOST}/a.png", "", mime="image/png")), "log.entries", "no request for data"),
        (har({"request": {"method": "GET"}, "response": {}}), "log.entries[0].request.url", "Blank"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained(text: str, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_har(text)
    assert refused.value.fields[0][0] == field
    assert message in str(refused.value)
