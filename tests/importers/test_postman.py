# ruff: noqa: E501 - requests as Postman exports them
"""Postman collections: what is sent is what Postman would send."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pyreqwest.http import Url
from tests.importers.wire import HOST, Told, check_formula, read_workflow, relocated, send
from tests.upstreams.scripted import Scripted

from swath.errors import InvalidInput
from swath.importers import read_postman

Json = Any
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def collection(*items: Json, **more: Json) -> str:
    return json.dumps(
        {"info": {"_postman_id": "1", "name": "C", "schema": SCHEMA}, "item": list(items), **more},
        indent="\t",
    )


def url(raw: str, **more: Json) -> Json:
    """An address as Postman takes it apart."""
    protocol, _, rest = raw.partition("://") if "://" in raw else ("", "", raw)
    address, _, query = rest.partition("?")
    host, *path = address.split("/")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    made: dict[str, Json] = {"raw": raw, "host": host.split("."), "path": path}
    if protocol:
        made["protocol"] = protocol
    if pairs:
        made["query"] = [{"key": name, "value": value if mark else None} for name, mark, value in pairs]
    return {**made, **more}


def item(
    address: Json,
    method: str = "GET",
    name: str = "R",
    response: Json = (),
    event: Json = (),
    **request: Json,
) -> Json:
    given = url(address) if isinstance(address, str) else address
    return {
        "name": name,
        "request": {"method": method, "header": [], "url": given, **request},
        "response": list(response),
        "event": list(event),
    }


def keys(**values: Json) -> list[Json]:
    return [{"key": name, "value": value, "type": "string"} for name, value in values.items()]


def raw(text: str, language: str = "") -> Json:
    return {"mode": "raw", "raw": text, **({"options": {"raw": {"language": language}}} if language else {})}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A collection of one request, and what is sent for it."""

    collection: str
    target: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = b""
    values: Mapping[str, Any] = field(default_factory=dict)


X = f"{HOST}/x"
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}

CASES = {
    "plain": Case(collection=collection(item(X)), target="/x"),
    "an address in a text": Case(collection=collection({"name": "R", "request": f"{X}?a=1"}), target="/x?a=1"),
    "an address without parts": Case(collection=collection(item({"raw": f"{X}?a=1&b"})), target="/x?a=1&b"),
    "query": Case(collection=collection(item(f"{X}?q=rust lang&n=5&flag&empty=")), target="/x?q=rust%20lang&n=5&flag&empty="),
    "disabled parameters": Case(
        collection=collection(item(url(f"{X}?a=1", query=[{"key": "a", "value": "1"}, {"key": "b", "value": "2", "disabled": True}]))), target="/x?a=1",
    ),
    "ampersand in a value": Case(collection=collection(item(url(X, query=[{"key": "a", "value": "1&2"}]))), target="/x?a=1%262"),
    "headers": Case(
        collection=collection(item(X, header=[{"key": "Accept", "value": "application/json"}, {"key": "X-A", "value": "1"}, {"key": "X-B", "value": "2", "disabled": True}])),
        target="/x", headers={"accept": "application/json", "x-a": "1"},
    ),
    "the host from a variable": Case(collection=collection(item("{{baseUrl}}/x?a={{a}}"), variable=keys(baseUrl=f"{HOST}/v2", a="7")), target="/v2/x?a=7"),
    "the host from a variable of a variable": Case(
        collection=collection(item("{{url}}/x"), variable=keys(url="{{scheme}}://{{host}}", scheme="https", host="api.example.com")), target="/x",
    ),
    "variables without a value": Case(collection=collection(item(f"{HOST}/users/{{{{user}}}}/posts")), values={"user": "a b"}, target="/users/a%20b/posts"),
    "names that are not ours": Case(collection=collection(item(f"{X}?a={{{{my-var.1}}}}"), variable=[{"key": "my-var.1", "value": "v"}]), target="/x?a=v"),
    "path variables": Case(
        collection=collection(item(url(f"{HOST}/users/:userId/posts/:post", variable=[{"key": "userId", "value": "42"}, {"key": "post", "value": "7"}]))), target="/users/42/posts/7",
    ),
    "path variables without a value": Case(collection=collection(item(f"{HOST}/users/:id")), values={"id": "9"}, target="/users/9"),
    "bearer": Case(collection=collection(item(X, auth={"type": "bearer", "bearer": keys(token="t-0123456789")})), target="/x", headers={"authorization": "Bearer t-0123456789"}),
    "bearer from a variable": Case(
        collection=collection(item(X, auth={"type": "bearer", "bearer": keys(token="{{tok}}")}), variable=keys(tok="t-0123456789")), target="/x", headers={"authorization": "Bearer t-0123456789"},
    ),
    "basic": Case(collection=collection(item(X, auth={"type": "basic", "basic": keys(username="ann", password="s3cret99")})), target="/x", headers={"authorization": "Basic YW5uOnMzY3JldDk5"}),
    "basic from variables": Case(
        collection=collection(item(X, auth={"type": "basic", "basic": keys(username="{{u}}", password="{{p}}")}), variable=keys(u="ann", p="s3cret99")), target="/x", headers={"authorization": "Basic YW5uOnMzY3JldDk5"},
    ),
    "key in a header": Case(collection=collection(item(X, auth={"type": "apikey", "apikey": keys(key="X-Key", value="k-0123456789", **{"in": "header"})})), target="/x", headers={"x-key": "k-0123456789"}),
    "key in the query": Case(collection=collection(item(f"{X}?a=1", auth={"type": "apikey", "apikey": keys(key="api_key", value="k-0123456789", **{"in": "query"})})), target="/x?a=1&api_key=k-0123456789"),
    "OAuth 2 with a token": Case(
        collection=collection(item(X, auth={"type": "oauth2", "oauth2": keys(accessToken="t-0123456789", headerPrefix="Token", addTokenTo="header")})), target="/x", headers={"authorization": "Token t-0123456789"},
    ),
    "authorization of the collection": Case(collection=collection(item(X), auth={"type": "bearer", "bearer": keys(token="t-0123456789")}), target="/x", headers={"authorization": "Bearer t-0123456789"}),
    "authorization of the folder, v2.0": Case(
        collection=collection({"name": "F", "item": [item(X)], "auth": {"type": "bearer", "bearer": {"token": "t-0123456789"}}}, auth={"type": "basic", "basic": {}}), target="/x", headers={"authorization": "Bearer t-0123456789"},
    ),
    "no authorization in spite of the collection's": Case(collection=collection(item(X, auth={"type": "noauth"}), auth={"type": "bearer", "bearer": keys(token="t-0123456789")}), target="/x"),
    "raw json": Case(collection=collection(item(X, "POST", body=raw('{"a":1,"b":"{{b}}"}', "json")), variable=keys(b="2")), method="POST", target="/x", headers=JSON, body=b'{"a":1,"b":"2"}'),
    "raw json with a bare variable": Case(collection=collection(item(X, "POST", body=raw('{"id":{{id}}}', "json")), variable=keys(id="42")), method="POST", target="/x", headers=JSON, body=b'{"id":42}'),
    "raw json by its header": Case(
        collection=collection(item(X, "PUT", body=raw("[1,2]"), header=[{"key": "Content-Type", "value": "application/json"}])), method="PUT", target="/x", headers=JSON, body=b"[1,2]",
    ),
    "raw text": Case(collection=collection(item(X, "POST", body=raw("a {{b}} c", "text")), variable=keys(b="2")), method="POST", target="/x", headers={"content-type": "text/plain"}, body=b"a 2 c"),
    "raw xml": Case(collection=collection(item(X, "POST", body=raw("<a/>", "xml"))), method="POST", target="/x", headers={"content-type": "application/xml"}, body=b"<a/>"),
    "form": Case(
        collection=collection(item(X, "POST", body={"mode": "urlencoded", "urlencoded": [*keys(a="1 2", b="{{b}}", c="é&"), {"key": "d", "value": "4", "disabled": True}]}), variable=keys(b="x y")),
        method="POST", target="/x", headers=FORM, body=b"a=1+2&b=x+y&c=%C3%A9%26",
    ),
    "form data": Case(
        collection=collection(item(X, "POST", body={"mode": "formdata", "formdata": [
            {"key": "t", "value": "{{t}}", "type": "text"}, {"key": "f", "type": "file", "src": "/files/data.csv"}, {"key": "j", "value": "{}", "type": "text", "contentType": "application/json"},
            {"key": "t", "value": "again", "type": "text"}]}), variable=keys(t="1")),
        values={"f": "a,b"}, method="POST", target="/x", headers={"content-type": "multipart/form-data"},
        body=[("t", None, None, b"1"), ("t", None, None, b"again"), ("f", "data.csv", "application/octet-stream", b"a,b"), ("j", None, "application/json", b"{}")],
    ),
    "graphql": Case(
        collection=collection(item(X, "POST", body={"mode": "graphql", "graphql": {"query": "query($n: Int) {\n  items(first: $n) { id }\n}", "variables": '{"n":5}'}})),
        method="POST", target="/x", headers=JSON, body=b'{"query":"query($n: Int) {\\n  items(first: $n) { id }\\n}","variables":{"n":5}}',
    ),
    "a file as body": Case(collection=collection(item(X, "POST", body={"mode": "file", "file": {"src": "a.bin"}})), values={"body": "abc"}, method="POST", target="/x", headers={"content-type": "application/octet-stream"}, body=b"abc"),
    "several files of a field": Case(
        collection=collection(item(X, "POST", body={"mode": "formdata", "formdata": [{"key": "f", "type": "file", "src": ["/a/1.csv", "/a/2.csv"]}]})), values={"f": "a", "f_2": "b"},
        method="POST", target="/x", headers={"content-type": "multipart/form-data"},
        body=[("f", "1.csv", "application/octet-stream", b"a"), ("f", "2.csv", "application/octet-stream", b"b")],
    ),
    "a path variable that is another variable": Case(
        collection=collection(item(url(f"{HOST}/shops/:shop/:part", variable=[{"key": "shop", "value": "{{shop}}"}, {"key": "part", "value": "p-{{n}}"}])), variable=keys(shop="7", n="3")),
        target="/shops/7/p-3",
    ),
    "a folder's authorization": Case(
        collection=collection({"name": "F", "auth": {"type": "bearer", "bearer": keys(token="abcdef0123456789")}, "item": [{"name": "G", "item": [item(X)]}]}, auth={"type": "apikey", "apikey": keys(key="X-Key", value="0123456789abcdef")}),
        target="/x", headers={"authorization": "Bearer abcdef0123456789"},
    ),
    "a body that Postman does not send with a GET": Case(collection=collection(item(X, body=raw('{"a":1}', "json"))), target="/x"),
    "a body that Postman sends with a GET": Case(
        collection=collection({**item(X, body=raw('{"a":1}', "json")), "protocolProfileBehavior": {"disableBodyPruning": True}}), target="/x", headers=JSON, body=b'{"a":1}',
    ),
    "a disabled body": Case(collection=collection(item(X, "POST", body={**raw("x"), "disabled": True})), method="POST", target="/x"),
    "an export of the API": Case(collection=json.dumps({"collection": json.loads(collection(item(X)))}), target="/x"),
    "a port": Case(collection=collection(item(url(X, host=["api", "example", "com"], port="443"))), target="/x"),
    "braces that are no variables": Case(collection=collection(item(X, "POST", body=raw("{% a %} { b }", "text"))), method="POST", target="/x", headers={"content-type": "text/plain"}, body=b"{% a %} { b }"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_what_postman_would_send_is_sent(name: str, upstream: Scripted) -> None:
    """Method, address, headers and body, with the values that the collection has."""
    case = CASES[name]
    imported = read_postman(case.collection)
    check_formula(imported)
    imported = relocated(imported, upstream)
    (sent,) = await send(imported, upstream, case.values)
    assert sent == Told(case.method, str(Url(upstream.url + case.target)), case.headers, case.body)


ROWS = [{"id": number} for number in range(3)]


def saved(body: Json, header: Json = (), code: int = 200) -> Json:
    return {"name": "ok", "code": code, "header": list(header), "body": json.dumps(body)}


PAGED: dict[str, tuple[Json, dict[str, Json]]] = {
    "a cursor": (
        item(f"{X}?after={{{{after}}}}", response=[saved({"data": ROWS, "next_cursor": "c2"})]),
        {"type": "cursor", "variable": "after", "cursor_path": "next_cursor", "record_path": "data"},
    ),
    "a page": (
        item(
            f"{X}?page=0&per_page=3",
            response=[saved({"error": 1}, code=500), saved({"items": ROWS, "total": 9})],
        ),
        {
            "type": "page_number",
            "variable": "page",
            "start": 0,
            "record_path": "items",
            "total_path": "total",
        },
    ),
    "a Link header": (
        item(X, response=[saved(ROWS, [{"key": "Link", "value": f'<{X}?page=2>; rel="next"'}])]),
        {"type": "header_link"},
    ),
    "no saved answer": (item(f"{X}?page=1"), {}),
}


@pytest.mark.parametrize("name", PAGED)
async def test_saved_answers_speak_for_a_paginator(name: str, upstream: Scripted) -> None:
    given, paginator = PAGED[name]
    imported = read_postman(collection(given))
    check_formula(imported)
    assert imported.formula["workflows"]["R"].get("paginator", {}) == paginator
    assert bool(paginator) == any("pages by" in note for note in imported.notes)


def test_folders_name_their_requests() -> None:
    """Requests of one name in different folders stay apart; the order is the collection's."""
    imported = read_postman(
        collection(
            {"name": "Users", "item": [item(X, name="List"), item(f"{X}/1", name="Get")]},
            {"name": "Posts", "item": [item(X, name="List")]},
        )
    )
    assert list(imported.formula["endpoints"]) == ["Users / List", "Users / Get", "Posts / List"]


def test_values_of_path_variables_are_collections() -> None:
    imported = read_postman(
        collection(item(url(f"{HOST}/users/:id", variable=[{"key": "id", "value": "42"}])))
    )
    workflow = read_workflow(imported, "R")
    assert [each.target_variable_name for each in workflow.mappings] == ["id"]
    assert imported.formula["collections"] == {"id": ["42"]}


def test_client_credentials_become_the_workflow_s_auth() -> None:
    """The secret goes beside the formula."""
    details = keys(
        grant_type="client_credentials",
        accessTokenUrl=f"{HOST}/token",
        clientId="me",
        clientSecret="s3cret-0123",
        scope="read",
    )
    imported = read_postman(collection(item(X, auth={"type": "oauth2", "oauth2": details})))
    check_formula(imported)
    auth = read_workflow(imported, "R").auth
    assert auth is not None
    assert auth.body is not None
    assert auth.url == f"{HOST}/token"
    assert auth.body.form == {
        "grant_type": "client_credentials",
        "client_id": "{{client_id}}",
        "client_secret": "{{client_secret}}",
        "scope": "read",
    }
    assert imported.secrets == {"client_secret": "s3cret-0123"}


def test_secrets_of_a_collection_leave_the_formula() -> None:
    """Values of variables with a secret's name, or in a secret's place."""
    imported = read_postman(
        collection(
            item(
                f"{X}?api_key={{{{api_key}}}}&q={{{{q}}}}",
                auth={"type": "bearer", "bearer": keys(token="{{mine}}")},
            ),
            variable=keys(api_key="k-0123456789", mine="t-0123456789", q="tea"),
        )
    )
    check_formula(imported)
    assert imported.secrets == {"api_key": "k-0123456789", "mine": "t-0123456789"}
    assert imported.formula["endpoints"]["R"]["variables"] == {
        "api_key": {"secret": True},
        "mine": {"secret": True},
        "q": {"default": "tea"},
    }


def test_a_variable_that_postman_hides_is_secret() -> None:
    """Whatever its name; of a folder it is so in what the folder holds."""
    hidden = [{"key": "who", "value": "somebody-99", "type": "secret"}]
    imported = read_postman(
        collection(
            {"name": "F", "item": [item(f"{X}?u={{{{who}}}}")], "variable": hidden},
            item(f"{HOST}/y?u={{{{who}}}}"),
            variable=keys(who="anybody"),
        )
    )
    check_formula(imported)
    inside, outside = imported.formula["endpoints"].values()
    assert inside["variables"] == {"who": {"secret": True}}
    assert outside["variables"] == {"who": {"default": "anybody"}}
    assert imported.secrets == {"who": "somebody-99"}


def test_what_cannot_be_carried_is_listed() -> None:
    """Scripts, authorizations that we do not speak, values that Postman makes up, hosts that nobody knows."""
    script = [
        {"listen": "prerequest", "script": {"exec": ["pm.environment.set('a', 1)"]}},
        {"listen": "test", "script": {"exec": [""]}},
    ]
    imported = read_postman(
        collection(
            item(f"{X}?id={{{{$guid}}}}", event=script, name="A", auth={"type": "awsv4", "awsv4": []}),
            item("{{unknown}}/x", name="B"),
            item(X, name="C", auth={"type": "oauth2", "oauth2": keys(grant_type="authorization_code")}),
        )
    )
    check_formula(imported)
    notes = "\n".join(imported.notes)
    for part in (
        "those of A",
        "awsv4",
        "$guid",
        "B was left out",
        "unknown",
        "C: its OAuth 2 needs somebody to log in",
    ):
        assert part in notes
    assert list(imported.formula["endpoints"]) == ["A", "C"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an object with keys"),
        ("{}", "Export the collection"),
        ('{"requests": []}', "Collection v2.1"),
        (collection(), "no request"),
        (collection(item("{{h}}/x")), "host"),
    ],
)
def test_a_collection_that_cannot_be_read_is_explained(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_postman(text)
    assert message in str(refused.value)
