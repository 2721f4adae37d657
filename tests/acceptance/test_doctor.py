"""`swath doctor` finds what is wrong, beside a running server and without one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fleet import LEASE, Fleet
from gated import Gated
from server import PATIENCE, Server, define_posts, wait_until
from tests.s3 import S3

from swath.store.objects import Objects

KEY = "the key that sealed them"


def examine(folder: Path, *options: str, **more: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "swath", "doctor", "--data-dir", str(folder), *options]
    ended = subprocess.run(
        command, env={**os.environ, **more}, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout


def findings(folder: Path, *options: str, **more: str) -> Mapping[str, dict[str, Any]]:
    """Return what is not well by its subject."""
    code, told = examine(folder, "--json", *options, **more)
    found = [finding for finding in json.loads(told) if not finding["well"]]
    assert code == bool(found)
    assert all(finding["advice"] for finding in found if not finding["subject"].endswith("s")), found
    return {finding["subject"]: finding for finding in found}


def run_one(server: Server, upstream: Gated) -> dict[str, Any]:
    ids = define_posts(server, upstream.url, ["1", "2", "3"])
    return server.wait(server.trigger(ids["workflow"]))


def test_it_says_what_is_well_and_what_is_not(server: Server, upstream: Gated) -> None:
    """All is well while the server runs; a segment that was cut off is named, with its execution."""
    execution = run_one(server, upstream)
    code, told = examine(server.folder, "--deep")
    assert (code, "BAD" in told) == (0, False), told
    assert "ok   executions: 0 have not ended" in told
    segment, *_ = (server.folder / "objects" / "segments" / execution["id"]).iterdir()
    segment.write_bytes(segment.read_bytes()[:20])
    code, told = examine(server.folder)
    assert code == 1
    assert f"BAD  segment: Execution {execution['id']}, shard " in told
    segment.unlink()
    assert "is missing" in findings(server.folder)["segment"]["told"]


def test_files_that_are_not_as_they_were_written(server: Server, upstream: Gated) -> None:
    """Missing, cut off, or with other bytes of the same number, which is seen where all is read."""
    execution = run_one(server, upstream)
    place = server.folder / "objects" / "results" / execution["id"] / "0"
    name = execution["results"][0]["name"]
    content = server.download(execution)[name]
    (file,) = (each for each in place.iterdir() if each.read_bytes() == content)
    data = file.read_bytes()
    file.write_bytes(data[::-1])
    assert findings(server.folder) == {}
    assert "its bytes are not those" in findings(server.folder, "--deep")["file"]["told"]
    file.write_bytes(data[:-1])
    told = findings(server.folder)["file"]
    assert told["told"].startswith(f"{name} of execution {execution['id']}: it has {len(data) - 1} bytes")
    assert told["advice"].endswith(f"/{execution['id']}/combine")
    file.unlink()
    assert "is missing" in findings(server.folder)["file"]["told"]


def test_a_key_that_opens_nothing(server: Server) -> None:
    """It says how many secrets cannot be opened, and neither a key nor a secret."""
    server.post("/webhooks", {"url": "https://receiver.example/hook", "secret": "open-sesame"})
    place = server.folder / "secret.key"
    right = place.read_text()
    assert findings(server.folder) == {}
    place.write_text("another-key-than-that")
    code, told = examine(server.folder)
    assert code == 1
    assert "BAD  secrets: 2 of 2 cannot be opened with the key that is set" in told
    for hidden in (right.strip(), "another-key-than-that", "open-sesame", "receiver.example"):
        assert hidden not in told
    assert findings(server.folder, SWATH_SECRET_KEY=right) == {}
    place.unlink()
    assert "There is no key" in findings(server.folder)["secrets"]["told"]
    assert not place.exists()


def test_objects_that_nothing_refers_to_are_told_of(server: Server, upstream: Gated) -> None:
    """They harm nothing: it says how many there are, where all is looked at."""
    execution = run_one(server, upstream)
    server.stop()  # which collects what a crash has left when an execution ends
    before = count_orphans(server)
    segments = server.folder / "objects" / "segments"
    (segments / execution["id"] / "left.seg").write_bytes(b"left")
    (segments / "gone").mkdir()
    (segments / "gone" / "left.seg").write_bytes(b"left")
    assert count_orphans(server) == before + 2


def count_orphans(server: Server) -> int:
    """Return of how many objects that nothing refers to a doctor tells; all else is well."""
    code, told = examine(server.folder, "--deep")
    assert code == 0, told
    assert "ok   orphans: " in told
    found = re.search(r"ok   orphans: (\d+) objects that nothing refers to", told)
    return int(found[1]) if found else 0


def test_a_folder_without_data(tmp_path: Path) -> None:
    """It says so, and makes nothing."""
    code, told = examine(tmp_path / "nothing")
    assert code == 1
    assert "BAD  disk: There is no folder" in told
    assert not (tmp_path / "nothing").exists()


async def test_many_processes_and_a_storage_elsewhere(
    tmp_path: Path, upstream: Gated, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that died, with nobody to go on; a file that the storage lost; a key of another."""
    with S3() as storage:
        for variable, value in storage.environment.items():
            monkeypatch.setenv(variable, value)
        given = {"SWATH_DATABASE_URL": database_url, "SWATH_WORKER_LEASE": str(LEASE)}
        given |= {"SWATH_SECRET_KEY": KEY}
        fleet = Fleet(
            tmp_path / "fleet", database_url, workers=1, lease=LEASE, **storage.environment, **given
        )
        with fleet:
            server = fleet.server
            server.post("/webhooks", {"url": "https://receiver.example/hook", "secret": "open-sesame"})
            execution = run_one(server, upstream)
            wait_until(lambda: findings(server.folder, "--deep", **given) == {}, "all is well")
            objects = Objects(storage.environment["SWATH_STORAGE_URL"])
            names = await objects.names(f"results/{execution['id']}")
            await objects.delete([name for name in names if name.endswith(".csv")][:1])
            seen = upstream.total
            upstream.hold(0)
            server.trigger(define_posts(server, upstream.url, ["1"])["workflow"])
            wait_until(lambda: upstream.total > seen, "it runs")
            worker = fleet.workers[0]
            worker.kill()
            found = wait_until(
                lambda: "worker" in (each := findings(server.folder, **given)) and each, "its lease is over"
            )
            assert found["worker"]["told"].startswith(f"{worker.name} was last heard of ")
            assert found["workers"]["told"] == "0 live."
            assert "swath worker" in found["workers"]["advice"]
            assert "is missing" in found["file"]["told"]
            strange = findings(server.folder, **(given | {"SWATH_SECRET_KEY": "another"}))
            assert strange["secrets"]["told"].startswith("2 of 2 cannot be opened")
