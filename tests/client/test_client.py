"""The client against a running server: from a formula to rows and files."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.acceptance.server import Server
from tests.client.conftest import NAME
from tests.upstreams.scripted import Play, Scripted

from swath.client import ApiError, AsyncClient, Client, ExecutionFailed, NotReached
from swath.client.patience import Patience, read_retry_after
from swath.client.place import Place


def test_a_workflow_is_executed_by_its_name(client: Client, formula: str) -> None:
    """Apply, execute, wait, read the rows: what a notebook does."""
    assert client.apply(formula)["workflows"][0]["name"] == NAME
    execution = client.workflows[NAME].execute(output_aggregation_format="jsonl").wait()
    assert (execution.status, execution.results[0].collection) == ("succeeded", "posts")
    rows = list(execution.rows())
    assert [(row["posts.by"], row["posts.id"]) for row in rows] == [
        (name, number) for name in ("ada", "bob") for number in range(3)
    ]
    assert rows[1]["input.user"] == "ada"


async def test_the_same_for_asyncio(aclient: AsyncClient, formula: str) -> None:
    """One source: the same names, awaited."""
    await aclient.apply(formula)
    execution = await aclient.workflows[NAME].execute({"user": ["zoe"]})
    await execution.wait()
    assert [row["posts.by"] async for row in execution.rows()] == ["zoe"] * 3
    assert NAME in [workflow.name async for workflow in aclient.workflows]


@pytest.mark.parametrize("file_format", ["csv", "json", "jsonl", "parquet"])
def test_rows_become_data_frames(client: Client, formula: str, file_format: str) -> None:
    """With the types that the values have, whatever the format of the file, and compressed ones, too."""
    client.apply(formula)
    execution = client.workflows[NAME].execute(output_aggregation_format=file_format).wait()
    for frame in (execution.to_polars(), execution.to_pandas()):
        assert len(frame) == 6
        assert list(frame.columns) == (
            ["posts.id", "posts.by", "posts.liked", "input.user"]
            if file_format in ("csv", "parquet")
            else ["id", "by", "liked", "input.user"]
        )
    column = "posts.liked" if file_format in ("csv", "parquet") else "liked"
    assert execution.to_polars()[column].sum() == 3.0
    assert execution.to_pandas()[column].sum() == 3.0
    polars, pandas = execution.to_polars(), execution.to_pandas()
    for compression in ("gzip", "zstd"):
        execution.combine(compression=compression)
        assert execution.to_polars().equals(polars)
        assert execution.to_pandas().equals(pandas)


def test_files_are_saved(client: Client, formula: str, tmp_path: Path) -> None:
    """Whole or not at all, under the names that the server has for them."""
    client.apply(formula)
    execution = client.workflows[NAME].execute().wait()
    (saved,) = execution.download(tmp_path / "out")
    assert saved.read_text().startswith("posts.id,posts.by,posts.liked,input.user\n0,ada,0.0,ada\n")
    assert list((tmp_path / "out").iterdir()) == [saved]
    with pytest.raises(ExecutionFailed, match="no file of people; there are: posts"):
        execution.result("people")


def test_failures_and_retries(client: Client, formula: str, upstream: Scripted) -> None:
    """What failed is listed, and fetched again into the same result."""
    client.apply(formula)
    execution = client.workflows[NAME].execute({"user": ["ada", "nobody"]}).wait()
    assert execution.status == "partially_failed"
    assert [failure["error_code"] for failure in execution.failures()] == ["not_found"]
    again = execution.retry().wait()
    assert (again.id != execution.id, again.status) == (True, "partially_failed")


def test_collections_change(client: Client) -> None:
    """By name, with the number of items that are there then."""
    people = client.collections.create("Changing people", ["a", "b"])
    assert (people.add(["b", "c"]), people.remove(["a"])) == (3, 2)
    assert client.collections["Changing people"].items() == ["b", "c"]
    assert people.replace([]) == 0


def test_what_is_not_there_is_told_with_what_is(client: Client, formula: str) -> None:
    """A misspelt name, and a refusal with its fields."""
    client.apply(formula)
    with pytest.raises(ApiError, match=NAME):
        client.workflows["My Awful Workflow"].execute()
    with pytest.raises(ApiError) as caught:
        client.workflows[NAME].execute(maximum_requests_count=0)
    assert caught.value.status == 400
    assert set(caught.value.fields) == {"maximum_requests_count"}


def test_inputs_leave_columns_of_their_names_alone(client: Client, formula: str, upstream: Scripted) -> None:
    """Where an answer has an `input.user`, the input has a suffix: the same one in a frame of each format."""
    answer = {"posts": [{"id": 1}, {"id": 2, "input": {"user": "theirs"}, "input.user_2": "also"}]}
    upstream.on("/users/*", Play.json(answer))
    text = formula.replace("endpoint: Posts", "endpoint: Posts\n    primary_collection: posts")
    client.apply(text)
    execution = client.workflows[NAME].execute({"user": "ada"}, output_aggregation_format="jsonl").wait()
    for file_format in ("jsonl", "json"):
        execution.combine(output_aggregation_format=file_format)
        for columns in (execution.to_polars().to_dicts(), execution.to_pandas().to_dict("records")):
            assert columns[1]["input.user"] == "theirs"
            assert columns[1]["input.user_2"] == "also"
            assert [row["input.user_3"] for row in columns] == ["ada", "ada"]


def test_a_preview_and_the_formula(client: Client, formula: str) -> None:
    """Before anything is run; and the text comes back."""
    assert client.preview(formula)["items"] == 2
    client.apply(formula)
    assert client.workflows[NAME].preview(items=1)["collections"][0]["name"] == "posts"
    assert client.workflows[NAME].formula() == formula


def test_what_another_tool_wrote_becomes_a_formula(client: Client) -> None:
    """Of it only what is wanted; and a document may have to be told where its API is."""
    commands = "curl https://a.example/users\ncurl https://a.example/orders"
    imported = client.import_source("curl", commands, only=["orders"])
    assert list(imported["formula_object"]["endpoints"]) == ["Orders"]
    document = '{"openapi": "3.1.0", "paths": {"/items/": {"get": {"responses": {}}}}}'
    imported = client.import_source("openapi", document, base_url="http://127.0.0.1:8000/v1")
    (endpoint,) = imported["formula_object"]["endpoints"].values()
    assert endpoint["url"] == "http://127.0.0.1:8000/v1/items/"


def test_who_is_not_known_is_told(server: Server, tmp_path: Path) -> None:
    """A wrong token is a refusal; no server and no token say what to do."""
    with Client(server.url, "wrong") as stranger, pytest.raises(ApiError) as caught:
        list(stranger.workflows)
    assert caught.value.status == 401
    with Client("http://127.0.0.1:9", "x") as lost, pytest.raises(NotReached, match="running"):
        list(lost.workflows)
    with pytest.raises(NotReached, match="set SWATH_TOKEN"):
        Place.find(environment={"SWATH_DATA_DIR": str(tmp_path)})
    place = Place.find(environment={"SWATH_URL": "host:1/cloud/api/v1", "SWATH_TOKEN": "t"})
    assert (place.api, repr(place)) == ("http://host:1/cloud/api/v1", "Place(url='http://host:1')")


def test_a_busy_server_is_asked_again(server: Server) -> None:
    """429 and 5xx wait as long as they say; a trigger is repeated under the same key, another POST is not."""
    answers = [(429, {"retry-after": "0"}), (500, {}), (200, {})]
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status, headers = answers[min(len(seen), 3) - 1]
        return httpx.Response(status, headers=headers, json={"object": {"id": "x"}})

    quick = Patience(base=0.0)
    with Client("http://h", "t", transport=httpx.MockTransport(answer), patience=quick) as client:
        workflow = client.workflows["x"]
        workflow._id = "x"
        assert workflow.execute().id == "x"
        assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
        assert len(seen) == 3
        seen[:] = seen[:1]
        with pytest.raises(ApiError):
            client.collections.create("c")
    assert len(seen) == 2


def test_a_server_that_was_never_there_is_not_waited_for() -> None:
    """One that has answered before is: it is being started again."""
    there: list[bool] = []
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if not there.pop(0):
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"object": {"completed_at": "now"}})

    patience = Patience(attempts=4, base=0.0)
    with Client("http://h", "t", transport=httpx.MockTransport(answer), patience=patience) as client:
        there[:] = [False]
        with pytest.raises(NotReached, match="refused"):
            client.executions["x"].refresh()
        assert len(asked) == 1
        there[:] = [True, False, False, True]
        client.executions["x"].refresh()
        client.executions["x"].wait()
    assert (len(asked), there) == (5, [])


def test_waits_are_as_asked_and_bounded() -> None:
    """Retry-After in seconds or as a date; doubling else; never more attempts than were agreed."""
    patience = Patience(attempts=3, base=1.0, longest=10.0)
    assert patience.wait(1, 429, {"retry-after": "7"}, repeatable=False) == 7.0
    assert patience.wait(1, 429, {"retry-after": "3600"}, repeatable=True) is None
    assert patience.wait(3, 503, {}, repeatable=True) is None
    assert patience.wait(1, 500, {}, repeatable=False) is None
    assert patience.wait(1, None, {}, repeatable=False) is None
    assert patience.wait(1, 404, {}, repeatable=True) is None
    second = patience.wait(2, 502, {}, repeatable=True)
    assert second is not None
    assert 1.0 <= second <= 2.0
    assert read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert read_retry_after("soon") is None


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_library_of_data_frames_that_is_missing_is_named(library: str) -> None:
    """Neither is a part of Swath."""
    code = f"import sys; sys.modules[{library!r}] = None; from swath.client.frames import *; "
    code += f"to_{library}(b'a', 'csv')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"ModuleNotFoundError: {library} is not installed here: pip install {library}" in ran.stderr


def test_importing_the_client_imports_no_server() -> None:
    """A notebook does not pay for FastAPI, the database and the durable engine."""
    code = "import sys, swath.client; print(*sorted(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "fastapi",
        "sqlalchemy",
        "dbos",
        "pyreqwest",
        "pydantic",
        "nicegui",
        "typer",
        "pandas",
        "polars",
    }
    assert heavy.isdisjoint(out)
    assert {
        name for name in out if name.startswith("swath.") and not name.startswith("swath.client")
    } == set()
