"""The tables of the documentation come out byte for byte, whatever the concurrency."""

import json
from concurrent.futures import Future
from hashlib import sha256
from typing import Any

import pytest
from server import Server, wait_until
from tests.upstreams.scripted import Play, Scripted

DOCUMENTED = {
    "results": [
        {"id": 1, "name": "Alice", "children": ["Carl", "Dave"]},
        {"id": 2, "name": "Bob", "children": ["Eric", "Fred"]},
    ]
}
RESULTS = b"results.id,results.name,results.children[0]\n1,Alice,Carl\n2,Bob,Eric\n"
CHILDREN = b"results.children,results.id,results.name\nCarl,1,Alice\nDave,1,Alice\nEric,2,Bob\nFred,2,Bob\n"


def define(server: Server, url: str, **workflow: Any) -> str:
    """Define a workflow that asks `/people/{person}` for each of some people; return its id."""
    people = server.post("/collections", {"name": "People", "items": [f"p{n}" for n in range(50)]})
    endpoint = server.post("/endpoints", {"name": "A person", "url": f"{url}/people/{{{{person}}}}"})
    mapping = {"target_variable_name": "person", "source_collection_id": people["id"]}
    body = {"name": "People", "endpoint_id": endpoint["id"], "mappings": [mapping], **workflow}
    return str(server.post("/workflows", body)["id"])


def test_the_documented_tables(server: Server) -> None:
    """Two result collections, the primary one first, with exactly the documented bytes."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url, include_inputs=False)
        execution = server.wait(server.trigger(workflow, execution_parameters={"person": "one"}))
    assert [result["collection"] for result in execution["results"]] == ["results", "results.children"]
    assert list(server.download(execution).values()) == [RESULTS, CHILDREN]


def test_the_documented_json(server: Server) -> None:
    """Combined JSON is one array of input and response, keys relative, values with their types."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url)
        execution_id = server.trigger(
            workflow, execution_parameters={"person": "one"}, output_aggregation_format="json"
        )
        execution = server.wait(execution_id)
    first, second = (json.loads(body) for body in server.download(execution).values())
    assert first == [
        {"input": {"person": "one"}, "response": {"id": 1, "name": "Alice", "children[0]": "Carl"}},
        {"input": {"person": "one"}, "response": {"id": 2, "name": "Bob", "children[0]": "Eric"}},
    ]
    assert second[0]["response"] == {"children": "Carl", "results.id": 1, "results.name": "Alice"}


@pytest.mark.parametrize("concurrency", [1, 50])
def test_order_is_that_of_the_inputs(server: Server, concurrency: int) -> None:
    """Rows come by item, page and position, though later answers come first; sparse columns are united."""
    with Scripted() as upstream:
        for n in range(50):
            row = {"n": n, f"only_{n % 3}": n}
            upstream.on(f"/people/p{n}", [Play.json({"rows": [row]}, delay=(50 - n) / 500)])
        execution = server.wait(server.trigger(define(server, upstream.url, concurrency=concurrency)))
    (body,) = server.download(execution).values()
    header, *lines = body.decode().splitlines()
    assert header == "rows.n,rows.only_0,rows.only_1,rows.only_2,input.person"
    expected = []
    for n in range(50):
        cells = ["", "", ""]
        cells[n % 3] = str(n)
        expected.append(",".join([str(n), *cells, f"p{n}"]))
    assert lines == expected


def test_one_execution_that_finds_nothing_says_so(server: Server) -> None:
    """An execution without rows succeeds with an empty file, and a warning says why there is nothing."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json({"rows": []})])
        workflow = define(server, upstream.url)
        execution = server.wait(server.trigger(workflow, execution_parameters={"person": "one"}))
    assert execution["status"] == "succeeded"
    assert [result["rows"] for result in execution["results"]] == [0]
    assert server.download(execution) == {"response.csv": b""}
    assert "no rows" in execution["warnings"][0]


def test_failed_items_are_in_the_ledger(server: Server) -> None:
    """Some items fail, the others' rows are there: partially failed, each failure with a line."""
    with Scripted() as upstream:
        for n in range(50):
            good = Play.json({"rows": [{"n": n}]})
            upstream.on(f"/people/p{n}", [good if n % 10 else Play(status=404, body=b"gone")])
        execution = server.wait(server.trigger(define(server, upstream.url)))
    assert execution["status"] == "partially_failed"
    assert execution["results"][0]["rows"] == 45
    assert execution["counters"]["statuses"] == {"200": 45, "404": 5}
    failures = server.get(f"/workflows/executions/{execution['id']}/failures")["objects"]
    assert [failure["item"] for failure in failures] == [0, 10, 20, 30, 40]
    first = failures[0]
    assert (first["error_code"], first["last_status"], first["attempts"]) == ("not_found", 404, 1)
    assert (first["retryable"], first["inputs"], first["sample"]) == (False, {"person": "p0"}, "gone")


@pytest.mark.parametrize("output_format", ["parquet", "xlsx"])
def test_formats_with_types(server: Server, output_format: str) -> None:
    """Other formats come whole: size and digest are those that the execution tells."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        asked = {"execution_parameters": {"person": "one"}, "output_aggregation_format": output_format}
        execution = server.wait(server.trigger(define(server, upstream.url), **asked))
    files = server.download(execution)
    assert list(files) == [f"results.{output_format}", f"results.children.{output_format}"]
    for told, body in zip(execution["results"], files.values(), strict=True):
        assert (told["bytes"], told["sha256"]) == (len(body), sha256(body).hexdigest())


@pytest.mark.parametrize("output_format", ["csv", "json"])
def test_rows_can_be_looked_at(server: Server, output_format: str) -> None:
    """Any rows of any collection, by column, every column in each; of the primary one by default."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url)
        execution = server.wait(
            server.trigger(
                workflow, execution_parameters={"person": "one"}, output_aggregation_format=output_format
            )
        )
    rows = f"/workflows/executions/{execution['id']}/rows"
    assert server.get(f"{rows}?offset=1")["object"] == {
        "collection": "results",
        "columns": ["results.id", "results.name", "results.children[0]", "input.person"],
        "rows": [
            {
                "results.id": 2,
                "results.name": "Bob",
                "results.children[0]": "Eric",
                "input.person": "one",
            }
        ],
        "total": 2,
        "offset": 1,
    }
    children = server.get(f"{rows}?collection=results.children&offset=1&limit=2")["object"]
    assert [row["results.children"] for row in children["rows"]] == ["Dave", "Eric"]
    assert server.ask("GET", f"{rows}?collection=nothing").status_code == 404


def test_rows_can_be_looked_at_while_it_runs(server: Server) -> None:
    """Finished shards show their rows before the execution has ended."""
    with Scripted() as upstream:
        for n in range(49):
            upstream.on(f"/people/p{n}", [Play.json({"rows": [{"n": n}]})])
        until: Future[None] = Future()
        upstream.on("/people/p49", [Play.json({"rows": [{"n": 49}]}, until=until)])
        execution_id = server.trigger(define(server, upstream.url))
        path = f"/workflows/executions/{execution_id}/rows?limit=2&offset=3"

        def look() -> Any:
            found = server.get(path)["object"]
            return found if found["total"] == 48 else None

        found = wait_until(look, "the rows of all shards but the last are there")
        assert [row["rows.n"] for row in found["rows"]] == [3, 4]
        (table,) = server.get(f"/workflows/executions/{execution_id}/columns")["objects"]
        assert (table["collection"], table["rows"], table["in_more"]) == ("rows", 48, [])
        n, person = table["columns"]
        assert n == {"name": "rows.n", "path": "rows.n", "types": {"integer": 48}, "nulls": 0, "missing": 0}
        assert person == {"name": "input.person", "path": "input.person"}
        assert server.execution(execution_id)["completed_at"] is None
        server.post(f"/workflows/executions/{execution_id}/cancel")
