# ruff: noqa: E501 - a manifest as it is written
"""Of an import only what is wanted."""

import json

import pytest
from tests.importers.wire import HOST, check_formula

from swath.errors import InvalidInput
from swath.importers import choose, read_airbyte, read_curl, read_openapi

SEVERAL = (
    f"curl {HOST}/users/{{ann,bob}}/posts -H 'X-Api-Key: 0123456789abcdef'\n"
    f"curl '{HOST}/orders?page=1' -H 'Authorization: Bearer abcdef0123456789'"
)
MANIFEST = """
version: 6.1.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [boards]}
definitions:
  requester: &requester {type: HttpRequester, url_base: "https://api.example.com"}
  selector: &selector {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [data]}}
  boards: &boards
    type: DeclarativeStream
    name: boards
    retriever: {type: SimpleRetriever, requester: {<<: *requester, path: /boards}, record_selector: *selector}
streams:
  - *boards
  - type: DeclarativeStream
    name: cards
    retriever:
      type: SimpleRetriever
      requester: {<<: *requester, path: "/boards/{{ stream_partition.board }}/cards"}
      record_selector: *selector
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs: [{type: ParentStreamConfig, stream: *boards, parent_key: id, partition_field: board}]
  - type: DeclarativeStream
    name: users
    retriever: {type: SimpleRetriever, requester: {<<: *requester, path: /users}, record_selector: *selector}
spec: {connection_specification: {properties: {}}}
"""


def test_what_belongs_to_an_endpoint_comes_with_it() -> None:
    """Its workflow, lists, secrets and notes, and of the others none; by address or by name, in any case."""
    imported = choose(read_curl(SEVERAL), ["/USERS/"])
    check_formula(imported)
    assert list(imported.formula["endpoints"]) == list(imported.formula["workflows"]) == ["Users posts"]
    assert list(imported.formula["collections"]) == ["users"]
    assert imported.secrets == {"x_api_key": "0123456789abcdef"}
    assert imported.notes == ("Of 2 endpoints 1 were left out, as was asked for.",)
    other = choose(read_curl(SEVERAL), ["orders"])
    assert "collections" not in other.formula
    assert list(other.secrets) == ["token"]
    assert any(note.startswith("Orders: page looks like") for note in other.notes)


def test_several_wishes_are_one_or_the_other() -> None:
    assert choose(read_curl(SEVERAL), ["orders", "users"]) == read_curl(SEVERAL)


def test_the_workflow_that_feeds_another_comes_too() -> None:
    """Its rows are the other's list."""
    imported = choose(read_airbyte(MANIFEST), ["/cards"])
    check_formula(imported)
    assert list(imported.formula["workflows"]) == ["boards", "cards"]


def test_a_whole_name_means_that_endpoint_alone() -> None:
    """Also where others have it in theirs: one of a list of names can be taken."""
    operations = {"/pets": "Pets", "/owners": "Owners of pets"}
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": HOST}],
        "paths": {path: {"get": {"summary": name, "responses": {}}} for path, name in operations.items()},
    }
    imported = read_openapi(json.dumps(document))
    assert list(choose(imported, ["Pets"]).formula["endpoints"]) == ["Pets"]
    assert list(choose(imported, ["pets"]).formula["endpoints"]) == ["Pets", "Owners of pets"]


def test_an_operation_that_is_chosen_has_a_workflow() -> None:
    """Also one that gets no list, with collections of the document's samples."""
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "example": "p-7"}
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": HOST}],
        "paths": {"/pets/{id}": {"get": {"summary": "Pet", "parameters": [parameter], "responses": {}}}},
    }
    imported = read_openapi(json.dumps(document))
    assert {"workflows", "collections"}.isdisjoint(imported.formula)
    chosen = choose(imported, ["Pet"])
    check_formula(chosen)
    mapping = {"target_variable_name": "id", "source_collection": "id"}
    assert chosen.formula["workflows"] == {"Pet": {"endpoint": "Pet", "mappings": [mapping]}}
    assert chosen.formula["collections"] == {"id": ["p-7"]}


def test_a_wish_that_nothing_meets_is_explained() -> None:
    operation = {"get": {"responses": {"200": {"description": "ok"}}}}
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": HOST}],
        "paths": {f"/{n}": operation for n in range(30)},
    }
    with pytest.raises(InvalidInput) as refused:
        choose(read_openapi(json.dumps(document)), ["pets"])
    assert refused.value.fields[0][0] == "only"
    assert "GET /0 (https://api.example.com/0)" in str(refused.value)
    assert "and 10 more" in str(refused.value)
