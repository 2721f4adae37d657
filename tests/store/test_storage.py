"""Objects in a folder and in S3."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.line import Line
from tests.s3 import S3
from tests.upstreams.scripted import Play, Scripted

from swath.errors import Damaged, Unavailable
from swath.store.objects import PATIENCE, Objects


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return Objects(str(tmp_path / "objects"))
    return Objects(request.getfixturevalue("s3").environment["SWATH_STORAGE_URL"])


async def test_what_is_put_can_be_read_in_every_way(objects: Objects, tmp_path: Path) -> None:
    """Whole, by range, by chunks and as a stream; and it is listed until it is deleted."""
    data = bytes(range(256)) * 9_000
    await objects.put("segments/a/one.seg", data)
    assert await objects.get("segments/a/one.seg") == objects.read("segments/a/one.seg") == data
    assert objects.size("segments/a/one.seg") == len(data)
    assert objects.read_range("segments/a/one.seg", 1_000, 20) == data[1_000:1_020]
    assert b"".join(objects.chunks("segments/a/one.seg")) == data
    streamed = [part async for part in objects.stream("segments/a/one.seg", 5, len(data))]
    assert b"".join(streamed) == data[5:]
    path = tmp_path / "file"
    path.write_bytes(b"more")
    await objects.move_file("segments/a/two.seg", path)
    assert not path.exists()
    assert sorted(await objects.names("segments/a/")) == ["segments/a/one.seg", "segments/a/two.seg"]
    await objects.delete(["segments/a/one.seg", "segments/a/two.seg"])
    assert await objects.names("segments/a/") == []


async def test_what_is_missing_or_short_is_damaged(objects: Objects) -> None:
    """It is no outage: waiting brings nothing back."""
    await objects.put("x", b"0123456789")
    for name, offset in (("gone", 0), ("x", 5), ("x", 100)):
        with pytest.raises(Damaged):
            objects.read_range(name, offset, 10)


async def test_storage_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked may ask again later."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    objects = Objects("s3://nowhere/folder")
    with pytest.raises(Unavailable, match="storage"):
        await objects.put("x", b"0")


async def test_storage_that_falls_silent_is_unavailable_before_long(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No byte passes, and no connection is closed: an answer is not waited for as if it were on its way.

    So it is for worker processes, too, which ask synchronously.
    """
    file = tmp_path / "file"
    file.write_bytes(b"rows")
    with Line(s3.port) as line:
        for name, value in s3.reached_at("127.0.0.1", line.port).items():
            monkeypatch.setenv(name, value)
        objects = Objects(s3.environment["SWATH_STORAGE_URL"])
        await objects.put("x", b"0")
        line.cut()
        asked = (objects.put("x", b"0"), objects.get("x"), objects.put_file("y", file))
        told = (
            asyncio.to_thread(objects.read_range, "x", 0, 1),
            asyncio.to_thread(objects.read, "x"),
            asyncio.to_thread(lambda: list(objects.chunks("x"))),
            asyncio.to_thread(objects.size, "x"),
            asyncio.to_thread(objects.write_file, "z", file),
        )
        for error in await asyncio.gather(*asked, *told, return_exceptions=True):
            assert isinstance(error, Unavailable)
            assert "does not answer" in str(error)
        line.heal()
        assert await objects.get("x") == b"0"


async def test_an_answer_that_is_late_is_waited_for(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The storage answers others meanwhile, if only that there is nothing: that is no outage."""
    with Scripted() as storage:
        late = Play(headers=[("ETag", '"1"')], delay=PATIENCE + 2)
        storage.on("/swath-tests/some/folder/late", late)
        storage.on("/swath-tests/*", Play(status=404))
        monkeypatch.setenv("AWS_ENDPOINT_URL", storage.url)
        objects = Objects(s3.environment["SWATH_STORAGE_URL"])
        await objects.put("late", b"0")
        file = tmp_path / "file"
        file.write_bytes(b"0")
        await asyncio.to_thread(objects.write_file, "late", file)
        methods = Counter(asked.method for asked in storage.asked)
        assert methods["PUT"] == 2
        assert methods["HEAD"] >= 2
