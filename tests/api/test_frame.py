"""What holds for every route: who may ask, what goes wrong, how it is said."""

import json
import re
import uuid
from typing import Any

import pytest
import requests
from tests.api.harness import Client, IdleEngine, Server, errors, good

from swath.api.openapi import describe

BASE = "/cloud/api/v1"
UNKNOWN = str(uuid.uuid4())


def routes(server: Server) -> list[tuple[str, str]]:
    """All methods and paths below the base path, an unknown id in place of each parameter."""
    return [
        (method.upper(), re.sub(r"\{\w+\}", UNKNOWN, path).removeprefix(BASE))
        for path, operations in describe(server.app)["paths"].items()
        for method in operations
        if path.startswith(BASE)
    ]


def test_every_route_wants_a_token(server: Server) -> None:
    """Without a token, or with a wrong one, each route and each unknown path is 401 in the envelope."""
    for token in (None, "wrong"):
        client = Client(server, token)
        for method, path in [*routes(server), ("GET", "/nothing/here")]:
            assert list(errors(client.ask(method, path), 401)) == ["token"]
        client.close()


def test_bearer_and_token_headers_both_work(server: Server, admin: Client) -> None:
    """The original's header is `Token`; `Authorization: Bearer` does as well, in any case of the scheme."""
    token = admin.post("/tokens", {"name": "x", "user": "bearer"})["token"]
    for headers in (
        {"Token": token},
        {"Authorization": f"Bearer {token}"},
        {"authorization": f"bearer {token}"},
    ):
        assert requests.get(f"{server.url}{BASE}/workflows", headers=headers, timeout=60).status_code == 200


def test_unknown_ids_are_not_found(server: Server, alice: Client) -> None:
    """Every route with an id answers 404 for one that does not exist, whatever its form."""
    for method, path in routes(server):
        if UNKNOWN not in path:
            continue
        items = {"method": "add", "items": ["1"]} if "/collections/" in path else {}
        if path.endswith("/from-result"):
            items = {"execution_id": UNKNOWN, "columns": ["results.id"]}
        for wrong in (UNKNOWN, "no-uuid", "%00", "ä", "'", "1" * 3000):
            answer = alice.ask(method, path.replace(UNKNOWN, wrong), json={"name": "x", **items})
            errors(answer, 404)


def test_unknown_paths_and_methods(alice: Client, server: Server) -> None:
    """An unknown path is 404, a wrong method 405 with the right ones named; both in the envelope."""
    assert "path" in errors(alice.ask("GET", "/nothing"), 404)
    assert "path" in errors(requests.get(f"{server.url}/nothing", timeout=60), 404)
    answer = alice.ask("DELETE", "/workflows")
    assert "GET, POST" in errors(answer, 405)["method"]
    assert answer.headers["allow"] == "GET, POST"
    assert alice.ask("TRACE", f"/workflows/{UNKNOWN}").headers["allow"] == "DELETE, GET, PATCH, PUT"


def test_a_slash_at_the_end_does_not_matter(alice: Client) -> None:
    """Some clients always send one; a redirect would lose the body of a POST."""
    assert alice.get("/workflows/") == []
    made = alice.post("/collections/", {"name": "x"})
    assert alice.get(f"/collections/{made['id']}/")["name"] == "x"


BODIES = [
    (b"{", "body"),
    (b"not json", "body"),
    (b"[1, 2]", "body"),
    (b'"text"', "body"),
    (b"5", "body"),
    (b"null", "body"),
    (b'{"name": NaN}', "body"),
    (b'{"name": "\xff"}', "body"),
    (b'{"name": "x"} {}', "body"),
    (b"[" * 100_000, "body"),
    (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, "body"),
]


@pytest.mark.parametrize(("body", "field"), BODIES)
@pytest.mark.parametrize("path", ["/endpoints", "/workflows", "/proxies", "/tokens", "/collections"])
def test_what_is_no_json_object_is_refused(alice: Client, path: str, body: bytes, field: str) -> None:
    """Malformed JSON and JSON that is no object are 400, never 500."""
    assert field in errors(alice.ask("POST", path, data=body), 400)


def test_the_content_type_does_not_matter(alice: Client) -> None:
    """A real client posts `text/plain`; forms and nothing at all are read as JSON as well."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        answer = alice.ask("POST", "/collections", data=b'{"name": "x"}', headers={"Content-Type": kind})
        assert good(answer)["name"] == "x"


def test_a_byte_order_mark_does_not_matter(alice: Client) -> None:
    body = b'\xef\xbb\xbf{"name": "x", "url": "https://h.example/"}'
    assert good(alice.ask("POST", "/endpoints", data=body))["name"] == "x"
    assert good(alice.ask("POST", "/collections", data=body))["name"] == "x"


def test_unknown_keys_are_ignored(alice: Client) -> None:
    """Clients of later and earlier versions send what we do not know."""
    made = alice.post("/endpoints", {"name": "x", "url": "https://h.example/", "colour": {"a": [1]}})
    assert "colour" not in made


PAGINATORS = "Must be one of: none, page_number, offset, cursor, next_url, header_link, header_cursor."


def test_all_errors_of_a_body_are_told_at_once(alice: Client) -> None:
    """One entry per field, with its place; null stands for a default."""
    body = {
        "name": 5,
        "endpoint_id": [],
        "mappings": [{"target_variable_name": "a", "source_collection_id": "x"}, {}, 7],
        "paginator": {"type": "leaf", "start": "one"},
        "response_rules": [{"action": "retry", "status": {}}],
        "concurrency": True,
        "join": None,
        "filters": "x",
    }
    assert errors(alice.ask("POST", "/workflows", json=body), 400) == {
        "name": "Must be a string.",
        "endpoint_id": "Must be a string.",
        "mappings[1].target_variable_name": "Blank.",
        "mappings[2]": "Must be an object.",
        "paginator.type": PAGINATORS,
        "paginator.start": "Must be an integer.",
        "response_rules[0].status": "Must be an integer or a string or a list.",
        "filters": "Must be a list.",
    }
    assert errors(
        alice.ask("POST", "/workflows", json={"name": "x", "endpoint_id": "y", "concurrency": True}), 400
    ) == {"concurrency": "Must be a number."}


def test_a_body_that_is_too_large_is_refused(alice: Client) -> None:
    """Only lists of items may be larger than 16 MB."""
    body = b'{"name": "' + b"x" * (17 << 20) + b'"}'
    assert "16 MB" in errors(alice.ask("POST", "/endpoints", data=body), 400)["body"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "cursor=nonsense", "cursor=1"])
def test_bad_pages_are_refused(alice: Client, query: str) -> None:
    errors(alice.ask("GET", f"/workflows?{query}"), 400)


def test_what_was_not_foreseen_is_500_without_details(
    server: Server, alice: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    """The cause is in the log, not in the answer, and the server goes on."""
    engine = server.context.engine
    endpoint = alice.post("/endpoints", {"name": "x", "url": "https://h.example/"})
    workflow = alice.post("/workflows", {"name": "x", "endpoint_id": endpoint["id"]})
    server.context.engine.wake = broken
    try:
        answer = alice.ask("POST", f"/workflows/{workflow['id']}/executions", json={})
    finally:
        del engine.wake
    assert list(errors(answer, 500)) == ["server"]
    assert "sesame" not in answer.text
    assert "sesame" in "".join(capfd.readouterr())
    assert alice.get("/workflows")


def broken() -> None:
    raise RuntimeError("open sesame")


def test_health(server: Server) -> None:
    """Neither needs a token."""
    assert isinstance(server.context.engine, IdleEngine)
    assert requests.get(f"{server.url}/healthz", timeout=60).json() == {"status": "ok"}
    assert requests.get(f"{server.url}/readyz", timeout=60).json() == {"status": "ok"}


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
        return found.union(*(references(part) for part in value.values())) if value else found
    return set().union(*(references(part) for part in value)) if isinstance(value, list) else set()


def test_the_document_describes_every_route(server: Server) -> None:
    """The OpenAPI document needs no token and has a schema for every body and answer."""
    document = requests.get(f"{server.url}{BASE}/openapi.json", timeout=60).json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= known
    identifiers = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            identifiers.append(operation["operationId"])
            if not path.startswith(BASE):
                continue
            assert operation["description"], path
            assert operation["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
            takes_body = method in ("patch", "put") or (method == "post" and not path.endswith(NO_BODY))
            assert ("requestBody" in operation) == takes_body, (method, path)
    assert len(set(identifiers)) == len(identifiers)
    fields = document["components"]["schemas"]["Workflow"]["properties"]
    assert {"name", "mappings", "paginator", "concurrency"} <= set(fields)


NO_BODY = (
    "/cancel",
    "/pause",
    "/resume",
    "/executions/{execution_id}",
    "/webhooks/{webhook_id}/test",
    "/deliveries/{delivery_id}/retry",
)


def test_the_page_of_routes_needs_nothing_from_elsewhere(server: Server) -> None:
    page = requests.get(f"{server.url}/docs", timeout=60)
    assert page.headers["content-type"].startswith("text/html")
    assert f"{BASE}/workflows/{{workflow_id}}/executions" in page.text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)


def test_times_and_ids_have_the_documented_form(alice: Client) -> None:
    made = alice.post("/collections", {"name": "x"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["created_at"])
    assert str(uuid.UUID(made["id"])) == made["id"]


def test_pages_of_a_list_hold_everything_once(alice: Client) -> None:
    """Newest first; `next_cursor` leads on, and is absent at the end."""
    for number in range(7):
        alice.post("/collections", {"name": str(number)})
    names, query = [], {"limit": "3"}
    while query:
        page = alice.ask("GET", "/collections", params=query).json()
        names += [each["name"] for each in page["objects"]]
        query = {"limit": "3", "cursor": page["next_cursor"]} if "next_cursor" in page else {}
    assert names == list("6543210")
    assert json.loads(alice.ask("GET", "/collections?limit=7").text).keys() == {"objects"}


def test_the_server_tells_what_it_does_in_numbers(server: Server) -> None:
    """Metrics need no token and hold numbers only; the root leads to the list of routes."""
    told = requests.get(f"{server.url}/metrics", timeout=60)
    assert told.headers["content-type"].startswith("text/plain")
    assert "swath_attempts 0.0" in told.text
    root = requests.get(server.url, timeout=60)
    assert root.url.endswith("/docs")
    assert "/cloud/api/v1/workflows" in root.text
