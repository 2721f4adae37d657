"""What Swath relies on of the durable engine, on both databases: a new version of it is judged by this alone.

Each process is a real one, and dies by SIGKILL.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.postgres import Postgres

PROGRAM = Path(__file__).with_name("durable_program.py")


class Process:
    """One process of the durable engine."""

    def __init__(self, folder: Path, place: str, name: str, version: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder), place, name, version],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "up"

    def order(self, *words: object) -> str:
        """Have it do something; return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._read()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Place:
    """A database, and the steps that were done by whoever works on it."""

    def __init__(self, folder: Path, where: str) -> None:
        self._folder, self._where = folder, where
        self.shared = "://" in where
        self._processes: list[Process] = []

    def start(self, version: str = "1") -> Process:
        """Start a process; those that share a database have names of their own."""
        name = f"process-{len(self._processes)}" if self.shared else "embedded"
        self._processes.append(Process(self._folder, self._where, name, version))
        return self._processes[-1]

    def start_after(self, dead: Process, version: str = "1") -> Process:
        """Start the one that takes up what a dead process had."""
        living = self.start(version)
        if self.shared:
            living.order("recover", dead.name)
        return living

    def hold(self, workflow: str, step: int) -> Path:
        """Have a step last until the file is removed."""
        held = self._folder / f"hold-{workflow}-{step}"
        held.touch()
        return held

    def steps(self, workflow: str) -> list[int]:
        """Return the steps that were begun, in order."""
        path = self._folder / "steps"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.split()[0] == workflow]

    def wait_for(self, workflow: str, step: int) -> None:
        wait_until(lambda: step in self.steps(workflow))

    def order_of(self) -> list[str]:
        """Return the workflows by their first steps."""
        return [line.split()[0] for line in (self._folder / "steps").read_text().splitlines() if " 0" in line]

    def close(self) -> None:
        for process in self._processes:
            process.kill()


def wait_until(is_so: Callable[[], bool]) -> None:
    ended = threading.Event()
    for _ in range(9_000):
        if is_so():
            return
        ended.wait(0.02)  # for another process
    raise AssertionError("It has not come about for three minutes.")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        opened = Place(tmp_path, str(tmp_path / "engine.db"))
        yield opened
        opened.close()
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.create()
    opened = Place(tmp_path, url)
    yield opened
    opened.close()
    postgres.drop(url)


def test_what_a_killed_process_did_is_done_once_and_the_rest_elsewhere(place: Place) -> None:
    """The step that it died in is done again, those before it are not; what was queued is not lost."""
    held = place.hold("a", 2)
    first = place.start()
    first.order("queue", "a", 4, 1)
    first.order("queue", "b", 2, 1)
    place.wait_for("a", 2)
    first.kill()
    held.unlink()
    second = place.start_after(first)
    assert second.order("wait", "a") == "4"
    assert second.order("wait", "b") == "2"
    assert place.steps("a") == [0, 1, 2, 2, 3]
    assert place.steps("b") == [0, 1]


def test_a_name_is_queued_once(place: Place) -> None:
    """Who queues something again, also after its end, changes nothing."""
    process = place.start()
    for _ in range(3):
        process.order("queue", "a", 2, 1)
        assert process.order("wait", "a") == "2"
    assert place.steps("a") == [0, 1]


def test_a_lower_number_goes_first(place: Place) -> None:
    """One at a time: what waits is taken by priority, and in order among equals."""
    held = place.hold("first", 0)
    process = place.start()
    process.order("queue", "first", 1, 9)
    place.wait_for("first", 0)
    for name, priority in (("late", 8), ("soon", 2), ("sooner", 1), ("soon-too", 2)):
        process.order("queue", name, 1, priority)
    held.unlink()
    process.order("wait", "late")
    assert place.order_of() == ["first", "sooner", "soon", "soon-too", "late"]


def test_what_is_cancelled_stops_and_can_be_resumed(place: Place) -> None:
    """It ends after the step that is under way, also for whoever starts then; resumed it goes on there."""
    held = place.hold("a", 1)
    first = place.start()
    first.order("queue", "a", 4, 1)
    place.wait_for("a", 1)
    first.order("cancel", "a")
    held.unlink()
    first.order("queue", "after", 1, 1)
    first.order("wait", "after")
    first.kill()
    second = place.start_after(first)
    assert second.order("status", "a") == "CANCELLED"
    assert 2 not in place.steps("a")
    second.order("resume", "a")
    assert second.order("wait", "a") == "4"
    assert place.steps("a")[-2:] == [2, 3]


def test_another_version_leaves_work_alone(place: Place) -> None:
    """What was begun under one application version is gone on with under that one: ours never changes."""
    held = place.hold("a", 1)
    first = place.start()
    first.order("queue", "a", 3, 1)
    place.wait_for("a", 1)
    first.kill()
    held.unlink()
    other = place.start("2")
    other.order("queue", "mine", 1, 1)
    assert other.order("wait", "mine") == "1"
    assert other.order("status", "a") == "PENDING"
    other.kill()
    third = place.start_after(first)
    assert third.order("wait", "a") == "3"
    assert place.steps("a") == [0, 1, 1, 2]


def test_what_has_ended_is_forgotten_by_its_prefix(place: Place) -> None:
    """And nothing else."""
    process = place.start()
    for name in ("a", "a:0:1", "b"):
        process.order("queue", name, 1, 1)
        process.order("wait", name)
    process.order("forget", "a")
    assert [process.order("status", name) for name in ("a", "a:0:1", "b")] == ["None", "None", "SUCCESS"]
