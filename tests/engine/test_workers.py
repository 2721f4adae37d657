"""The worker processes: what goes wrong there is told as what it is, and the next job finds them well."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from swath.engine.extract import PackJob, pack_files
from swath.engine.workers import Workers
from swath.errors import Unavailable, WorkerDied


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    running = Workers()
    yield running
    await running.close()


async def test_storage_that_is_away_is_told_as_such(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes out of the process whole, and the process stays."""
    for name, value in (("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ACCESS_KEY_ID", "t")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")
    job = PackJob(place="s3://nowhere/folder", scratch=str(tmp_path), files=[("results/a", "a.csv")])
    with pytest.raises(Unavailable, match="storage: It cannot be used"):
        await workers.run(pack_files, job)
    assert await workers.run(len, "four") == 4
    assert os.listdir(tmp_path) == []


async def test_a_full_disk_is_told_as_such(workers: Workers) -> None:
    """Whoever asked may ask again later."""
    with pytest.raises(Unavailable, match="disk: It cannot be written: No space left on device"):
        await workers.run(Path("/dev/full").write_text, "x")


async def test_a_process_that_is_killed_is_replaced(workers: Workers) -> None:
    """As by a machine without memory: a job that kills one after another fails, the next one does not."""
    with pytest.raises(WorkerDied):
        await workers.run(os._exit, 1)
    assert await workers.run(len, "four") == 4
