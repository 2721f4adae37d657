"""Downloads: no token, any range, safe to repeat."""

import asyncio
from hashlib import sha256
from uuid import uuid4

import pytest
import requests
from tests.api.harness import Client, Server, errors

from swath.store import executions
from swath.store.schema import results

FILE = b"id,name\n" + b"".join(b"%d,somebody\n" % number for number in range(300_000))


@pytest.fixture
def url(server: Server, alice: Client) -> str:
    """The address of a result of an execution that has ended."""
    endpoint = alice.post("/endpoints", {"name": "e", "url": "https://h.example/"})
    workflow = alice.post("/workflows", {"name": "w", "endpoint_id": endpoint["id"]})
    execution_id = alice.post(f"/workflows/{workflow['id']}/executions")["id"]
    values = {
        "id": str(uuid4()),
        "execution_id": execution_id,
        "revision": 0,
        "position": 0,
        "collection": "results",
        "name": "results.csv",
        "format": "csv",
        "object": f"results/{execution_id}/results.csv",
        "secret": uuid4().hex,
        "rows": 300_000,
        "columns": "[]",
        "bytes": len(FILE),
        "sha256": sha256(FILE).hexdigest(),
    }
    asyncio.run(server.context.objects.put(values["object"], FILE))
    with server.context.database.snapshot() as connection:
        connection.execute(results.insert().values(values))
        connection.execute(executions.executions.update().values(completed_at=1, status="succeeded"))
        connection.commit()
    [found] = alice.get(f"/workflows/executions/{execution_id}")["results"]
    return str(found["url"])


def test_a_file_is_read_whole_without_a_token(server: Server, url: str) -> None:
    """The path ends in the file's name and has no query string; the address is as the client came."""
    assert url.startswith(f"{server.url}/results/")
    assert url.endswith("/results.csv")
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 200
    assert answer.content == FILE
    assert answer.headers["content-length"] == str(len(FILE))
    assert answer.headers["content-type"].startswith("text/csv")
    assert requests.get(f"{url[:-11]}other.csv", timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5-", 5, len(FILE)),
        ("bytes=-7", len(FILE) - 7, len(FILE)),
        ("bytes=10-999999999", 10, len(FILE)),
        (f"bytes=1000000-{(1 << 20) + 1000000}", 1_000_000, (1 << 20) + 1_000_001),
    ],
)
def test_a_range_is_read(url: str, wanted: str, start: int, end: int) -> None:
    """So that a download that broke off goes on where it was."""
    answer = requests.get(url, headers={"Range": wanted}, timeout=60)
    assert answer.status_code == 206
    assert answer.content == FILE[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(FILE)}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=1-2", "bytes=x-", "bytes=-"])
def test_a_range_that_is_not_ours_is_the_whole_file(url: str, wanted: str) -> None:
    answer = requests.get(url, headers={"Range": wanted}, timeout=60)
    assert (answer.status_code, len(answer.content)) == (200, len(FILE))


@pytest.mark.parametrize("wanted", [f"bytes={len(FILE)}-", "bytes=-0", "bytes=9-5"])
def test_a_range_outside_is_refused(url: str, wanted: str) -> None:
    answer = requests.get(url, headers={"Range": wanted}, timeout=60)
    assert list(errors(answer, 416)) == ["range"]
    assert answer.headers["content-range"] == f"bytes */{len(FILE)}"


def test_a_range_of_another_version_is_the_whole_file(url: str) -> None:
    tag = requests.head(url, timeout=60).headers["etag"]
    for known, status in ((tag, 206), ('"other"', 200)):
        answer = requests.get(url, headers={"Range": "bytes=0-9", "If-Range": known}, timeout=60)
        assert answer.status_code == status


def test_head_tells_the_size(url: str) -> None:
    answer = requests.head(url, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(FILE))
    assert answer.headers["accept-ranges"] == "bytes"
