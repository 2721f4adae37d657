"""Endpoints: request templates."""

from typing import Any

import pytest
from tests.api.harness import Client, errors

MASK = "********"
GOOD: dict[str, Any] = {
    "name": "Posts",
    "method": "POST",
    "url": "https://api.example/users/{{user_id}}/posts",
    "query": {"cursor": "{{cursor}}", "all": True},
    "headers": {"Authorization": "Bearer {{api_token}}"},
    "body": {"json": {"q": "{{q}}", "n": [1, 2.5]}},
    "variables": {
        "cursor": {"default": ""},
        "api_token": {"secret": True, "default": "hunter2-hunter2"},
    },
}


def test_an_endpoint_comes_back_as_it_was_given(alice: Client) -> None:
    """With its id, its times, and the names of all its variables; a secret default is masked."""
    made = alice.post("/endpoints", GOOD)
    for key in ("name", "method", "url", "query", "headers"):
        assert made[key] == GOOD[key]
    assert made["body"]["json"] == GOOD["body"]["json"]
    assert made["variables"]["api_token"]["default"] == MASK
    assert made["variable_names"] == ["api_token", "cursor", "q", "user_id"]
    assert alice.get(f"/endpoints/{made['id']}") == made
    assert alice.get("/endpoints") == [made]
    assert alice.delete(f"/endpoints/{made['id']}") == {"id": made["id"]}
    assert alice.get("/endpoints") == []


def test_given_keys_replace(alice: Client) -> None:
    """PATCH and PUT alike; null sets back to the default, what is not given stays."""
    made = alice.post("/endpoints", GOOD)
    path = f"/endpoints/{made['id']}"
    changed = alice.patch(path, {"name": "New", "query": {"page": "1"}, "body": None})
    assert (changed["name"], changed["query"], changed["body"]) == ("New", {"page": "1"}, None)
    assert changed["url"] == made["url"]
    assert changed["updated_at"] >= made["updated_at"]
    assert changed["created_at"] == made["created_at"]
    put = alice.ask("PUT", path, json={"method": "GET"}).json()["object"]
    assert (put["method"], put["name"]) == ("GET", "New")
    assert errors(alice.ask("PATCH", path, json={"name": ""}), 400) == {"name": "Blank."}
    assert alice.get(path) == put


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"url": ""}, "url"),
        ({"url": "ftp://h/"}, "url"),
        ({"url": "/relative"}, "url"),
        ({"url": "https://{{host}}/"}, "url"),
        ({"url": "https://h/{{unclosed"}, "url"),
        ({"url": 5}, "url"),
        ({"method": "GE T"}, "method"),
        ({"query": {"a": "{{ 1 + }}"}}, "query.a"),
        ({"query": []}, "query"),
        ({"headers": {"A": 5}}, "headers.A"),
        ({"headers": {"bad name": "x"}}, "headers.bad name"),
        ({"body": {}}, "body"),
        ({"body": {"text": "a", "json": 1}}, "body"),
        ({"body": {"graphql": {}}}, "body.graphql.query"),
        ({"variables": {"a": {"type": "date"}}}, "variables.a.type"),
        ({"variables": {"a": {"default": {"$sealed": "x"}}}}, "body"),
    ],
)
def test_what_could_not_be_sent_is_refused(alice: Client, change: dict[str, Any], field: str) -> None:
    """At creation and at each change, by the field's name."""
    assert field in errors(alice.ask("POST", "/endpoints", json=GOOD | change), 400)
    made = alice.post("/endpoints", GOOD)
    assert field in errors(alice.ask("PATCH", f"/endpoints/{made['id']}", json=change), 400)
    assert alice.get(f"/endpoints/{made['id']}") == made


def test_missing_fields_are_blank(alice: Client) -> None:
    assert errors(alice.ask("POST", "/endpoints", json={}), 400) == {"name": "Blank.", "url": "Blank."}


def test_an_endpoint_in_use_is_not_deleted(alice: Client) -> None:
    """The refusal says which workflow uses it."""
    made = alice.post("/endpoints", GOOD)
    workflow = alice.post("/workflows", {"name": "Daily posts", "endpoint_id": made["id"]})
    message = errors(alice.ask("DELETE", f"/endpoints/{made['id']}"), 409)["id"]
    assert "Daily posts" in message
    assert workflow["id"] in message
    alice.delete(f"/workflows/{workflow['id']}")
    alice.delete(f"/endpoints/{made['id']}")


def test_big_integers_are_kept(alice: Client) -> None:
    """Integers of any size keep their value."""
    made = alice.post("/endpoints", GOOD | {"body": {"json": {"n": 2**70}}})
    assert alice.get(f"/endpoints/{made['id']}")["body"]["json"] == {"n": 2**70}
