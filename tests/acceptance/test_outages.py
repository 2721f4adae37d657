"""What an execution needs is away in its midst: it waits, says so, goes on, and has lost nothing.

Each thing is away for some seconds in `make test`, and for longer than a minute in `make storm`;
`docs/outages.md` has what came out.
"""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from calm import find_events, judge
from fleet import Fleet
from gated import Gated
from server import PATIENCE, Server, define_posts, wait_until
from tests.postgres import Postgres
from tests.s3 import S3, Mood

from swath.demo.upstream import Behaviour

USERS = [str(1000 + n) for n in range(60)]
#: Seconds of an answer.
DELAY = 0.1
#: Seconds of an outage: a few, so that owners are told of it; and longer than all patience of libraries.
SHORT, LONG = 5, 70
#: Answers until something is away, of more than 200.
SOME = 100


def long(*values: object) -> Any:
    """A form of a test for `make storm`."""
    return pytest.param(*values, marks=[pytest.mark.slow, pytest.mark.timeout(900)])


class Said:
    """What processes have said on standard error."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd, self._text = capfd, ""

    def wait_for(self, thing: str) -> int:
        """Return how many have said that they wait for a thing."""
        self._text += self._capfd.readouterr().err
        return sum(" waiting " in line and f"thing={thing}" in line for line in self._text.splitlines())


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    return Said(capfd)


def let_pass(seconds: float) -> None:
    """Let time pass: how long something is away is what these tests are about."""
    threading.Event().wait(seconds)


@pytest.mark.parametrize(
    ("mode", "seconds"), [("immediate", SHORT), long("immediate", LONG), long("fast", LONG)]
)
def test_C2_the_database_goes_away_and_comes_back(
    mode: str, seconds: int, tmp_path: Path, upstream: Gated, calm: dict[str, bytes], said: Said
) -> None:
    """Stopped, or as by a loss of power; the API says so meanwhile, and events tell of it afterwards."""
    with Postgres() as postgres, Fleet(tmp_path / "fleet", postgres.create(), lease=20) as fleet:
        server = fleet.server
        upstream.hold(SOME)
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 30)
        postgres.stop(mode)
        upstream.let_go()
        answer = requests.get(f"{server.url}/readyz", timeout=PATIENCE)
        assert answer.status_code == 503
        refused = server.ask("GET", f"/workflows/executions/{execution_id}")
        assert refused.status_code == 503
        assert "database" in refused.json()["errors"][0]
        wait_until(lambda: said.wait_for("database") > 1, "one worker at least has noticed")
        let_pass(seconds)
        postgres.start()
        wait_until(lambda: requests.get(f"{server.url}/readyz", timeout=PATIENCE).ok, "it answers again")
        judge(server, execution_id, calm, upstream)
        told, *_ = wait_until(lambda: find_events(server, execution_id, "went_on"), "it is told")
        assert told["for"] == "database"
        assert told["seconds"] >= seconds / 2


@pytest.mark.parametrize(("mood", "seconds"), [("away", SHORT), long("away", LONG), long("refuse", LONG)])
def test_C2_the_storage_goes_away_and_comes_back(
    mood: Mood, seconds: int, tmp_path: Path, upstream: Gated, calm: dict[str, bytes], database_url: str
) -> None:
    """It does not answer, or answers 503: what is fetched meanwhile is kept, and the owner is told."""
    # Remote checkpoints are some seconds apart: the first one must not record all there is.
    upstream.behaviour = Behaviour(delay=0.5, hiccup_every=0, limit=None)
    with S3() as s3, Fleet(tmp_path / "fleet", database_url, **s3.environment) as fleet:
        server = fleet.server
        upstream.hold(SOME)
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 20)
        s3.be(mood)
        upstream.let_go()
        waiting = wait_until(lambda: server.execution(execution_id)["waiting_for"], "the owner is told")
        assert waiting.startswith("Waiting for the storage since 20")
        let_pass(seconds - SHORT)
        s3.be("well")
        judge(server, execution_id, calm, upstream)
        assert {told["for"] for told in find_events(server, execution_id, "waiting")} == {"storage"}
        told = wait_until(lambda: find_events(server, execution_id, "went_on"), "it is told")
        assert {each["for"] for each in told} == {"storage"}
        assert not (tmp_path / "fleet" / "objects").exists()


@pytest.mark.slow
def test_C2_a_storage_that_has_become_slow(
    tmp_path: Path, upstream: Gated, calm: dict[str, bytes], database_url: str
) -> None:
    """Two seconds for each answer make an execution later, and nothing else."""
    with S3() as s3, Fleet(tmp_path / "fleet", database_url, workers=1, **s3.environment) as fleet:
        server = fleet.server
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 10)
        s3.be("slow")
        wait_until(lambda: len(upstream.seen()) >= 100, "it goes on")
        s3.be("well")
        judge(server, execution_id, calm, upstream)
        assert find_events(server, execution_id, "waiting") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "swath-tests", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"A small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more fits; return the file to remove."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(0, SHORT), (30, 2 * SHORT), (210, SHORT), long(0, LONG), long(30, LONG), long(210, LONG)],
)
def test_C2_the_disk_is_full_for_a_while(
    asked: int, seconds: int, small_disk: Path, upstream: Gated, calm: dict[str, bytes]
) -> None:
    """As it begins, amid it, or at its end: the server says so, and goes on when there is room."""
    with Server(small_disk / "data") as server:
        upstream.hold(asked)
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        wait_until(lambda: upstream.total >= asked, f"{asked} requests were sent")
        filler = fill(small_disk)
        upstream.let_go()
        ready = f"{server.url}/readyz"
        told = wait_until(
            lambda: requests.get(ready, timeout=PATIENCE).json().get("waiting_for"), "it is told"
        )
        assert "full" in told[0] or "No space left" in told[0]
        assert server.execution(execution_id)["completed_at"] is None
        refused = server.ask("POST", "/collections", json={"name": "more", "items": ["1"]})
        assert refused.status_code == 503
        let_pass(seconds)
        filler.unlink()
        judge(server, execution_id, calm, upstream)
        if asked == 30:  # at the beginning and at the end the server alone may wait
            wait_until(lambda: find_events(server, execution_id, "went_on"), "it is told")


@pytest.mark.parametrize("seconds", [SHORT, long(LONG)])
def test_C2_the_upstream_goes_away_and_comes_back(
    seconds: int, tmp_path: Path, upstream: Gated, calm: dict[str, bytes]
) -> None:
    """Nobody listens there: items wait together, the owner is told; only what was under way is repeated."""
    with Server(tmp_path / "data") as server:
        upstream.hold(60)
        execution_id = server.trigger(define_posts(server, upstream.url, USERS, concurrency=8)["workflow"])
        wait_until(lambda: upstream.total >= 40, "some was asked for")
        upstream.stop()
        upstream.let_go()
        waiting = wait_until(lambda: server.execution(execution_id)["waiting_for"], "the owner is told")
        assert waiting.startswith("Waiting for the upstream since 20")
        let_pass(seconds - SHORT)
        upstream.start()
        judge(server, execution_id, calm, upstream, repeats=8)
        told = wait_until(lambda: find_events(server, execution_id, "went_on"), "it is told")
        assert {each["for"] for each in told} == {"upstream"}
