"""Workflows: what is executed."""

from typing import Any

import pytest
from tests.api.harness import Client, errors

UNKNOWN = "7b0b7c0e-5d5c-4c9c-9d43-1f4b7c2f1a55"


class Defined:
    """An endpoint and two collections to build workflows on."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.endpoint: str = client.post(
            "/endpoints",
            {"name": "e", "url": "https://h.example/{{user_id}}", "query": {"cursor": "{{cursor}}"}},
        )["id"]
        self.texts: str = client.post("/collections", {"name": "ids", "items": ["1", "2"]})["id"]
        self.objects: str = client.post("/collections", {"name": "objects", "items": [{"id": 1}]})["id"]

    def body(self, **change: Any) -> dict[str, Any]:
        mapping = {"target_variable_name": "user_id", "source_collection_id": self.texts}
        return {"name": "w", "endpoint_id": self.endpoint, "mappings": [mapping], **change}


@pytest.fixture
def defined(alice: Client) -> Defined:
    return Defined(alice)


def test_a_workflow_has_the_documented_form(alice: Client, defined: Defined) -> None:
    """Lists show id and name, a workflow its mappings; what was not given has its default."""
    made = alice.post("/workflows", defined.body())
    [mapping] = made["mappings"]
    assert mapping == {
        "id": mapping["id"],
        "target_variable_name": "user_id",
        "source_collection_id": defined.texts,
        "source_collection_json_key": None,
    }
    assert len(mapping["id"]) == 36
    assert made["concurrency"] == 16
    assert made["paginator"]["type"] == "none"
    assert alice.get(f"/workflows/{made['id']}") == made
    [line] = alice.get("/workflows")
    assert (line["id"], line["name"]) == (made["id"], "w")


def test_given_keys_replace_and_mappings_keep_their_ids(alice: Client, defined: Defined) -> None:
    """A mapping that is sent back with its id is the same one; another's id is not taken over."""
    made = alice.post("/workflows", defined.body())
    other = alice.post("/workflows", defined.body())
    path = f"/workflows/{made['id']}"
    second = {"target_variable_name": "cursor", "source_collection_id": defined.texts}
    changed = alice.patch(path, {"mappings": [*made["mappings"], second], "join": "zip"})
    assert changed["mappings"][0] == made["mappings"][0]
    assert [each["target_variable_name"] for each in changed["mappings"]] == ["user_id", "cursor"]
    assert changed["join"] == "zip"
    stolen = alice.patch(path, {"mappings": other["mappings"]})
    assert stolen["mappings"][0]["id"] != other["mappings"][0]["id"]
    assert alice.get(f"/workflows/{other['id']}") == other
    assert alice.patch(path, {"mappings": None})["mappings"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"paginator": {"type": "cursor", "variable": "cursor"}}, "paginator.cursor_path"),
        ({"paginator": {"type": "cursor", "cursor_path": "$.a", "variable": "page"}}, "paginator.variable"),
        ({"paginator": {"type": "page_number"}}, "paginator.variable"),
        ({"paginator": {"type": "next_url"}}, "paginator.next_url_path"),
        ({"paginator": {"type": "header_cursor", "variable": "cursor"}}, "paginator.header"),
        ({"paginator": {"type": "header_link", "rel": ""}}, "paginator.rel"),
        ({"paginator": {"type": "next_url", "next_url_path": "$.["}}, "paginator.next_url_path"),
        ({"paginator": {"max_pages_per_item": 0}}, "paginator.max_pages_per_item"),
        ({"paginator": {"stop_when": {"path": "a[", "op": "="}}}, "paginator.stop_when.path"),
        ({"filters": [{"path": "a", "op": "~"}]}, "filters[0].op"),
        ({"filters": [{"path": "a"}, {"path": ""}]}, "filters[1].path"),
        ({"filters": [{"path": "a", "op": "matches", "value": "("}]}, "filters[0].value"),
        ({"response_rules": [{"action": "retry", "status": "abc"}]}, "response_rules[0].status"),
        ({"response_rules": [{"action": "retry"}, {"action": "stop"}]}, "response_rules[1].action"),
        ({"response_rules": [{"action": "retry", "header": {"a": "["}}]}, "response_rules[0].header.a"),
        ({"response_rules": [{"action": "retry", "path": "a["}]}, "response_rules[0].path"),
        ({"rate_limits": [{"requests": 0}]}, "rate_limits[0].requests"),
        ({"rate_limits": [{"requests": 1, "per_seconds": 0}]}, "rate_limits[0].per_seconds"),
        ({"rate_limits": [{"requests": 1, "scope": "moon"}]}, "rate_limits[0].scope"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 1001}, "concurrency"),
        ({"retry": {"max_attempts": 0}}, "retry.max_attempts"),
        ({"limits": {"timeout": -1}}, "limits.timeout"),
        ({"loop_guard": "maybe"}, "loop_guard"),
        ({"inputs": []}, "inputs"),
    ],
)
def test_what_could_not_be_executed_is_refused(defined: Defined, change: dict[str, Any], field: str) -> None:
    """At creation and at each change, by the field's name; nothing is stored."""
    client = defined.client
    assert field in errors(client.ask("POST", "/workflows", json=defined.body(**change)), 400)
    made = client.post("/workflows", defined.body())
    assert field in errors(client.ask("PATCH", f"/workflows/{made['id']}", json=change), 400)
    assert client.get(f"/workflows/{made['id']}") == made


def test_everything_wrong_is_told_at_once(defined: Defined) -> None:
    """So that nobody has to mend one thing after the other."""
    body = defined.body(concurrency=0, filters=[{"path": ""}], paginator={"type": "next_url"}, name="")
    found = errors(defined.client.ask("POST", "/workflows", json=body), 400)
    assert set(found) == {"name", "concurrency", "filters[0].path", "paginator.next_url_path"}


def test_a_mapping_to_an_unknown_variable_names_the_known_ones(defined: Defined) -> None:
    mapping = {"target_variable_name": "usr_id", "source_collection_id": defined.texts}
    found = errors(defined.client.ask("POST", "/workflows", json=defined.body(mappings=[mapping])), 400)
    assert found == {
        "mappings[0].target_variable_name": "The endpoint has no variable 'usr_id'. It has: cursor, user_id."
    }
    twice = defined.body()["mappings"] * 2
    found = errors(defined.client.ask("POST", "/workflows", json=defined.body(mappings=twice)), 400)
    assert "twice" in found["mappings[1].target_variable_name"]


def test_a_key_of_texts_is_refused(defined: Defined) -> None:
    """Texts have no keys; objects do."""

    def mapping(collection: str) -> list[dict[str, str]]:
        return [
            {
                "target_variable_name": "user_id",
                "source_collection_id": collection,
                "source_collection_json_key": "id",
            }
        ]

    field = "mappings[0].source_collection_json_key"
    body = defined.body(mappings=mapping(defined.texts))
    assert field in errors(defined.client.ask("POST", "/workflows", json=body), 400)
    defined.client.post("/workflows", defined.body(mappings=mapping(defined.objects)))


def test_a_filters_parameter_need_not_be_known(defined: Defined) -> None:
    """Its value comes with the execution, even where it is to be a regular expression."""
    filters = [
        {"path": "results.created_at", "op": ">=", "value": "{{min_timestamp}}"},
        {"path": "results.name", "op": "matches", "value": "({{pattern}}"},
    ]
    made = defined.client.post("/workflows", defined.body(filters=filters))
    assert made["filters"] == filters


def test_unknown_endpoints_and_collections_are_not_found(defined: Defined, bob: Client) -> None:
    """What is unknown and what is somebody else's look the same."""
    theirs = Defined(bob)
    for endpoint in (UNKNOWN, theirs.endpoint, "x"):
        answer = defined.client.ask("POST", "/workflows", json=defined.body(endpoint_id=endpoint))
        assert list(errors(answer, 404)) == ["endpoint_id"]
    for collection in (UNKNOWN, theirs.texts, "x"):
        mappings = [{"target_variable_name": "user_id", "source_collection_id": collection}]
        answer = defined.client.ask("POST", "/workflows", json=defined.body(mappings=mappings))
        assert list(errors(answer, 404)) == ["mappings[0].source_collection_id"]


def test_a_deleted_workflow_leaves_its_executions(alice: Client, defined: Defined) -> None:
    """Its executions are cancelled and stay readable; the workflow is gone."""
    made = alice.post("/workflows", defined.body())
    execution = alice.post(f"/workflows/{made['id']}/executions")
    assert alice.delete(f"/workflows/{made['id']}") == {"id": made["id"]}
    errors(alice.ask("GET", f"/workflows/{made['id']}"), 404)
    errors(alice.ask("DELETE", f"/workflows/{made['id']}"), 404)
    errors(alice.ask("POST", f"/workflows/{made['id']}/executions"), 404)
    assert alice.get(f"/workflows/executions/{execution['id']}")["status"] in ("stopping", "cancelled")
    assert [each["id"] for each in alice.get(f"/workflows/{made['id']}/executions")] == [execution["id"]]
    alice.delete(f"/collections/{defined.texts}")
    alice.delete(f"/endpoints/{defined.endpoint}")
