"""Executions, as far as the API goes: the engine of these tests never works on them."""

import json
from typing import Any

import pytest
import requests
from tests.api.harness import Client, IdleEngine, Server, errors

from swath.store import ledger

UNKNOWN = "7b0b7c0e-5d5c-4c9c-9d43-1f4b7c2f1a55"


def define(client: Client) -> str:
    """Make a workflow over two items, and return its id."""
    items = client.post("/collections", {"name": "ids", "items": ["1", "2"]})
    endpoint = client.post("/endpoints", {"name": "e", "url": "https://h.example/{{user_id}}"})
    mapping = {"target_variable_name": "user_id", "source_collection_id": items["id"]}
    body = {"name": "w", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    return str(client.post("/workflows", body)["id"])


def test_a_triggered_execution_has_the_documented_form(server: Server, alice: Client) -> None:
    """Its id alone at first; then parameters as a string, no end and no results. The engine is woken."""
    engine = server.context.engine
    assert isinstance(engine, IdleEngine)
    woken = engine.woken
    workflow_id = define(alice)
    parameters = {"min_timestamp": 1546318800, "max_timestamp": 1548997200}
    made = alice.post(
        f"/workflows/{workflow_id}/executions",
        {"execution_parameters": parameters, "do_proxy_hot_swap": False, "unknown": 1},
    )
    assert list(made) == ["id"]
    assert engine.woken > woken
    found = alice.get(f"/workflows/executions/{made['id']}")
    assert found["workflow_id"] == workflow_id
    assert json.loads(found["execution_parameters"]) == parameters
    assert isinstance(found["execution_parameters"], str)
    assert (found["completed_at"], found["results"], found["status"]) == (None, [], "queued")
    assert alice.post(f"/workflows/executions/{made['id']}") == found


def test_a_body_is_optional(alice: Client) -> None:
    """Nothing, an empty object, nulls and text/plain all trigger."""
    path = f"/workflows/{define(alice)}/executions"
    alice.ask("POST", path)
    alice.ask("POST", path, data=b"{}", headers={"Content-Type": "text/plain"})
    alice.post(path, {"proxy": None, "execution_parameters": None, "maximum_requests_count": None})
    found = alice.get(path)
    assert len(found) == 3
    assert {each["execution_parameters"] for each in found} == {"{}"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"maximum_requests_count": 0}, "maximum_requests_count"),
        ({"maximum_requests_count": -5}, "maximum_requests_count"),
        ({"maximum_requests_count": "many"}, "maximum_requests_count"),
        ({"maximum_requests_count": True}, "maximum_requests_count"),
        ({"maximum_requests_count": 1.5}, "maximum_requests_count"),
        ({"output_aggregation_format": "pdf"}, "output_aggregation_format"),
        ({"execution_parameters": []}, "execution_parameters"),
        ({"execution_parameters": "a=1"}, "execution_parameters"),
        ({"do_proxy_hot_swap": "perhaps"}, "do_proxy_hot_swap"),
        ({"execution_parameters": {"user_id": {"$sealed": "x"}}}, "body"),
    ],
)
def test_bad_bodies_are_refused(alice: Client, change: dict[str, Any], field: str) -> None:
    path = f"/workflows/{define(alice)}/executions"
    assert list(errors(alice.ask("POST", path, json=change), 400)) == [field]
    assert alice.get(path) == []


@pytest.mark.parametrize("cursor", ["odd", "-1", "9" * 30, "9" * 5_000])
@pytest.mark.parametrize("of", ["", "/{id}/failures", "/{id}/events"])
def test_what_is_no_cursor(alice: Client, of: str, cursor: str) -> None:
    """It is refused, and so is a number that rows cannot have; items are counted further than rows."""
    execution_id = alice.post(f"/workflows/{define(alice)}/executions")["id"]
    path = ("/workflows/executions" + of if of else "/executions").format(id=execution_id)
    assert "cursor" in errors(alice.ask("GET", f"{path}?cursor={cursor}"), 400)
    numbered = alice.ask("GET", f"{path}?cursor={2**31}")
    assert numbered.status_code == (200 if of.endswith("failures") else 400)


def test_newest_first_in_pages_and_by_status(alice: Client) -> None:
    """Clients take the first as the most recent."""
    workflow_id = define(alice)
    path = f"/workflows/{workflow_id}/executions"
    ids = [alice.post(path)["id"] for _ in range(5)]
    assert [each["id"] for each in alice.get(path)] == ids[::-1]
    page = alice.ask("GET", f"{path}?limit=2").json()
    assert [each["id"] for each in page["objects"]] == ids[:2:-1]
    rest = alice.get(f"{path}?cursor={page['next_cursor']}")
    assert [each["id"] for each in rest] == ids[2::-1]
    alice.post(f"/workflows/executions/{ids[0]}/cancel")
    assert len(alice.get(f"{path}?status=active")) + len(alice.get(f"{path}?status=cancelled")) == 5
    assert alice.get(f"{path}?status=completed") == []
    assert "status" in errors(alice.ask("GET", f"{path}?status=odd"), 400)
    assert "cursor" in errors(alice.ask("GET", f"{path}?cursor=odd"), 400)
    other = define(alice)
    assert alice.get(f"/workflows/{other}/executions") == []
    alice.post(f"/workflows/{other}/executions")
    assert len(alice.get("/executions")) == 6
    errors(alice.ask("GET", f"/workflows/{UNKNOWN}/executions"), 404)


def test_the_same_key_is_the_same_execution(alice: Client) -> None:
    """A client that did not hear our answer may ask again; another body under the key is refused."""
    path = f"/workflows/{define(alice)}/executions"
    key = {"Idempotency-Key": "monday"}
    first = alice.post(path, {"maximum_requests_count": 5}, headers=key)
    assert alice.post(path, {"maximum_requests_count": 5}, headers=key) == first
    answer = alice.ask("POST", path, json={"maximum_requests_count": 6}, headers=key)
    assert "Idempotency-Key" in errors(answer, 409)
    for wrong in ("", "k" * 256):
        answer = alice.ask("POST", path, json={}, headers={"Idempotency-Key": wrong})
        assert errors(answer, 400) == {"Idempotency-Key": "Must have 1 to 255 characters."}
    assert len(alice.get(path)) == 1


def test_events_failures_and_manifest(alice: Client) -> None:
    """There while it runs; the manifest comes with the files."""
    made = alice.post(f"/workflows/{define(alice)}/executions")
    path = f"/workflows/executions/{made['id']}"
    assert alice.get(f"{path}/failures") == []
    assert isinstance(alice.get(f"{path}/events"), list)
    errors(alice.ask("GET", f"{path}/manifest"), 409)
    assert alice.post(f"{path}/pause")["status"] == "paused"
    assert alice.post(f"{path}/resume")["status"] == "queued"  # for nobody works here


def test_failures_are_counted_by_kind(server: Server, alice: Client) -> None:
    """All of them by error code and last status, the most frequent first; no other execution's."""
    workflow_id = define(alice)
    mine, other = (alice.post(f"/workflows/{workflow_id}/executions")["id"] for _ in range(2))
    kinds = [("http_status", 404)] * 120 + [("http_status", 500)] * 3 + [("timeout", None)] * 7
    with server.context.database.snapshot() as connection:
        ledger.record_failures(connection, mine, [fail(item, *kind) for item, kind in enumerate(kinds)])
        ledger.record_failures(connection, other, [fail(0, "timeout", None)])
        connection.commit()
    assert alice.get(f"/workflows/executions/{mine}/failures/kinds") == [
        {"error_code": "http_status", "last_status": 404, "items": 120},
        {"error_code": "timeout", "last_status": None, "items": 7},
        {"error_code": "http_status", "last_status": 500, "items": 3},
    ]


def fail(item: int, error_code: str, last_status: int | None) -> dict[str, Any]:
    """Return a line of the ledger."""
    return {
        "item": item,
        "page": 0,
        "stop_reason": "failed",
        "error_code": error_code,
        "message": "It failed.",
        "retryable": False,
        "attempts": 1,
        "last_status": last_status,
        "inputs": "{}",
        "at": 1,
    }


def test_an_unknown_result_is_not_found(server: Server) -> None:
    """In the envelope, and without asking for a token."""
    for method in ("GET", "HEAD"):
        answer = requests.request(method, f"{server.url}/results/unguessable/rows.csv", timeout=60)
        assert answer.status_code == 404
    assert list(errors(requests.get(f"{server.url}/results/a/b.csv", timeout=60), 404)) == ["url"]
