"""Objects in a folder and in S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.s3 import S3

from swath.errors import Damaged, Unavailable
from swath.store.objects import Objects


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
