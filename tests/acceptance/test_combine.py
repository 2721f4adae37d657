"""Other files of what was fetched: no request is sent again, and older files stay."""

import gzip
import io
import json
import zipfile
from typing import Any

import requests
from server import Server, wait_until
from test_tables import CHILDREN, DOCUMENTED, RESULTS, define
from tests.upstreams.scripted import Play, Scripted


def combine(server: Server, execution_id: str, **changes: Any) -> dict[str, Any]:
    """Combine again; return the combination when it has ended."""
    path = f"/workflows/executions/{execution_id}"
    revision = server.post(f"{path}/combine", changes)["revision"]

    def ended() -> Any:
        found = server.get(f"{path}/combinations")["objects"]
        return next((each for each in found if each["revision"] == revision and each["completed_at"]), None)

    return dict(wait_until(ended, "the combination has ended"))


def files_of(server: Server, execution_id: str, revision: int) -> dict[str, bytes]:
    """Download a revision's files, by their names."""
    found = server.execution(execution_id)["results"]
    return {
        file["name"]: requests.get(file["url"], timeout=60).content
        for file in found
        if file["revision"] == revision
    }


def test_a_new_revision_needs_no_request(server: Server) -> None:
    """A filter, a choice of collections, another format: new files, listed first; the old ones stay."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url, include_inputs=False)
        execution = server.wait(server.trigger(workflow, execution_parameters={"person": "one"}))
    # The upstream is gone from here on.
    mine = execution["id"]
    first = combine(server, mine, filters=[{"path": "results.name", "value": "Bob"}])
    assert (first["revision"], first["error"]) == (1, None)
    second = combine(
        server, mine, result_collections=["results"], output_aggregation_format="jsonl", include_inputs=True
    )
    assert second["recipe"]["result_collections"] == ["results"]
    assert files_of(server, mine, 0) == {"results.csv": RESULTS, "results.children.csv": CHILDREN}
    bob = b"results.id,results.name,results.children[0]\n2,Bob,Eric\n"
    assert files_of(server, mine, 1)["results.csv"] == bob
    (lines,) = files_of(server, mine, 2).values()
    assert json.loads(lines.splitlines()[0]) == {
        "input": {"person": "one"},
        "response": {"id": 1, "name": "Alice", "children[0]": "Carl"},
    }
    after = server.execution(mine)
    assert [file["revision"] for file in after["results"]] == [2, 1, 1, 0, 0]
    assert after["counters"]["requests"] == execution["counters"]["requests"] == 1
    path = f"/workflows/executions/{mine}"
    assert server.get(f"{path}/manifest")["object"]["revision"] == 2
    assert server.get(f"{path}/rows")["object"]["rows"][0]["results.id"] == 1


def test_the_same_recipe_gives_the_same_bytes(server: Server) -> None:
    """A detour over another recipe leaves nothing behind: the first one's bytes come again."""
    with Scripted() as upstream:
        for n in range(50):
            upstream.on(f"/people/p{n}", [Play.json({"rows": [{"n": n, f"only_{n % 3}": n}]})])
        mine = server.wait(server.trigger(define(server, upstream.url)))["id"]
    combine(server, mine, filters=[{"path": "rows.n", "op": "<", "value": 10}])
    combine(server, mine)
    assert files_of(server, mine, 1)["rows.csv"].count(b"\n") == 11
    assert files_of(server, mine, 2) == files_of(server, mine, 0)


def test_only_the_primary_collection_and_guarded_cells(server: Server) -> None:
    """`children: false` makes one file; `spreadsheet_safe` puts an apostrophe before formulas."""
    with Scripted() as upstream:
        body = {"rows": [{"f": "=1+1", "n": "-1", "more": [1]}]}
        upstream.on("/people/one", [Play.json(body)])
        workflow = define(server, upstream.url, children=False, spreadsheet_safe=True, include_inputs=False)
        execution = server.wait(server.trigger(workflow, execution_parameters={"person": "one"}))
    assert server.download(execution) == {"rows.csv": b"rows.f,rows.n,rows.more[0]\n'=1+1,-1,1\n"}


def test_what_cannot_be_combined_is_refused(server: Server) -> None:
    """A filter without sense and an unknown format are named; an execution that runs must end first."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url)
        mine = server.wait(server.trigger(workflow, execution_parameters={"person": "one"}))["id"]
        path = f"/workflows/executions/{mine}/combine"
        bad = server.ask("POST", path, json={"filters": [{"path": "a", "op": "matches", "value": "("}]})
        assert (bad.status_code, "filters[0]" in bad.text) == (400, True)
        bad = server.ask("POST", path, json={"output_aggregation_format": "pdf"})
        assert (bad.status_code, "output_aggregation_format" in bad.text) == (400, True)
        upstream.on("/people/two", [Play.json(DOCUMENTED, delay=30)])
        running = server.trigger(workflow, execution_parameters={"person": "two"})
        assert server.ask("POST", f"/workflows/executions/{running}/combine").status_code == 409
        server.post(f"/workflows/executions/{running}/cancel")


def test_a_kill_does_not_lose_a_combination(server: Server) -> None:
    """What was asked for before a power cut is there after the restart, once."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url, include_inputs=False)
        mine = server.wait(server.trigger(workflow, execution_parameters={"person": "one"}))["id"]
    path = f"/workflows/executions/{mine}"
    server.post(f"{path}/combine", {"filters": [{"path": "results.id", "value": 1}]})
    server.kill()
    server.start()
    wait_until(
        lambda: server.get(f"{path}/combinations")["objects"][0]["completed_at"], "the combination has ended"
    )
    alice = b"results.id,results.name,results.children[0]\n1,Alice,Carl\n"
    assert files_of(server, mine, 1)["results.csv"] == alice
    assert [file["revision"] for file in server.execution(mine)["results"]] == [1, 1, 0, 0]


def test_columns_are_chosen_in_a_workflow_and_anew(server: Server) -> None:
    """A workflow's choice shapes its files; another choice, and a budget, reshape them without a request."""
    columns = {"results": ["input.person", {"path": "results.name", "name": "who"}, "results.gone"]}
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url, columns=columns)
        mine = server.wait(server.trigger(workflow, execution_parameters={"person": "one"}))["id"]
    chosen = b"input.person,who,results.gone\none,Alice,\none,Bob,\n"
    assert files_of(server, mine, 0)["results.csv"] == chosen
    path = f"/workflows/executions/{mine}"
    assert server.get(f"{path}/rows")["object"]["columns"] == ["input.person", "who", "results.gone"]
    (warning,) = server.execution(mine)["warnings"]
    assert "No row of results has results.gone" in warning
    combined = combine(server, mine, columns=None, column_budget=3)
    assert files_of(server, mine, 1)["results.csv"] == (
        b"results.id,input.person,_more\n"
        b'1,one,"{""results.name"":""Alice"",""results.children[0]"":""Carl""}"\n'
        b'2,one,"{""results.name"":""Bob"",""results.children[0]"":""Eric""}"\n'
    )
    assert "stand together as JSON in _more" in combined["warnings"][0]
    described = server.get(f"{path}/manifest")["object"]["collections"][0]
    (shown, _) = server.get(f"{path}/columns")["objects"]
    assert (shown["columns"], shown["in_more"]) == (described["columns"], described["in_more"])
    # A part may be there twice: a combination does not wait for whoever extracts a shard, and does so, too.
    parts = {part.read_bytes() for part in (server.folder / "objects" / "parts" / mine).iterdir()}
    assert len(parts) == 2, "one shard's parts as CSV, and as JSON for the budget"
    assert described["columns"][0] == {
        "name": "results.id",
        "path": "results.id",
        "types": {"integer": 2},
        "nulls": 0,
        "missing": 0,
    }
    assert [column["path"] for column in described["in_more"]] == ["results.name", "results.children[0]"]
    assert server.get(f"{path}/rows")["object"]["rows"][0]["_more"] == {
        "results.name": "Alice",
        "results.children[0]": "Carl",
    }
    refused = server.ask("POST", f"{path}/combine", json={"columns": {"results": ["a", "a"]}})
    assert (refused.status_code, "columns.results[1]" in refused.text) == (400, True)


def test_rows_are_unique_over_the_whole_execution(server: Server) -> None:
    """What another item gave already is dropped, with the rows below it; another recipe has it."""
    with Scripted() as upstream:
        for n in range(50):
            rows = [{"id": id, "tags": [f"{id}"]} for id in (n // 2, 1_000)]
            upstream.on(f"/people/p{n}", [Play.json({"rows": rows})])
        workflow = define(
            server, upstream.url, unique_by=["rows.id"], unique_within="execution", include_inputs=False
        )
        mine = server.wait(server.trigger(workflow))["id"]
    first = files_of(server, mine, 0)
    ids = ["0", "1000", *map(str, range(1, 25))]
    assert first["rows.csv"].decode().splitlines()[1:] == [f"{id},{id}" for id in ids]
    assert first["rows.tags.csv"].decode().splitlines()[1:] == [f"{id},{id}" for id in ids]
    manifest = server.get(f"/workflows/executions/{mine}/manifest")["object"]
    told = manifest["unique_by"], manifest["unique_within"], manifest["duplicates"]
    assert told == (["rows.id"], "execution", 74)
    combine(server, mine, unique_within="item")
    assert files_of(server, mine, 1)["rows.csv"].count(b"\n") == 101


def test_files_are_compressed_and_put_together(server: Server) -> None:
    """gzip and zstd on request, one archive of all files beside them; the bytes are the same each time."""
    with Scripted() as upstream:
        upstream.on("/people/one", [Play.json(DOCUMENTED)])
        workflow = define(server, upstream.url, include_inputs=False)
        asked = {"execution_parameters": {"person": "one"}, "compression": "gzip", "archive": True}
        execution = server.wait(server.trigger(workflow, **asked))
    mine = execution["id"]
    names = ["results.csv.gz", "results.children.csv.gz", "People.zip"]
    assert [file["name"] for file in execution["results"]] == names
    assert [file["format"] for file in execution["results"]] == ["csv", "csv", "zip"]
    first = files_of(server, mine, 0)
    assert gzip.decompress(first["results.csv.gz"]) == RESULTS
    with zipfile.ZipFile(io.BytesIO(first["People.zip"])) as archive:
        assert archive.namelist() == names[:2]
        assert gzip.decompress(archive.read(names[1])) == CHILDREN
    answer = requests.get(execution["results"][0]["url"], timeout=60)
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers
    combine(server, mine, compression="gzip")
    assert files_of(server, mine, 1) == first
    combine(server, mine, compression=None, archive=None)
    assert files_of(server, mine, 2) == {"results.csv": RESULTS, "results.children.csv": CHILDREN}
    assert server.get(f"/workflows/executions/{mine}/rows")["object"]["total"] == 2
