"""Kills at random moments, over several executions: the files are those of a calm run, byte for byte.

The short form runs in `make test`, the long one by `make storm`; `docs/storm.md` has what came out.
"""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fleet import LEASE, Fleet, Member
from server import Server, define_posts, wait_until

from swath.demo.upstream import Behaviour, Upstream

#: How many requests may be under way in one process for each execution: those are lost with it.
CONCURRENCY = 8
#: Seconds of answers that no checkpoint may have recorded: its interval, and what its writing takes.
UNRECORDED = 2.5
LONG = [pytest.mark.slow, pytest.mark.timeout(3_000)]


class Storm:
    """What is done to whom, and what came of it."""

    def __init__(self, upstream: Upstream, delay: float) -> None:
        self.upstream = upstream
        #: How many requests a calm run has made; then it is forgotten, and the upstream slow.
        self.enough = upstream.total
        upstream.reset()
        upstream.behaviour = Behaviour(delay=delay, hiccup_every=0, limit=None)
        self.chance = random.Random(int(os.environ.get("STORM", "1")))
        self.kills = 0
        self.freezes = 0

    def wait(self) -> None:
        """Let some requests pass: a moment by the upstream's count, and not by a clock.

        Sometimes too few for a checkpoint, but not always: what a dozen workers took in vain is given up.
        """
        seen = self.upstream.total
        most = max(10, min(400, self.enough // 12))
        more = self.chance.choice([self.chance.randint(1, 10), self.chance.randint(most // 4, most)])
        wait_until(lambda: self.upstream.total >= seen + more or self.over(), "requests are sent", 120)

    def over(self) -> bool:
        """Tell whether there is nothing left to disturb."""
        return self.upstream.total >= self.enough

    def kill(self, member: Server | Member) -> None:
        member.kill()
        self.kills += 1
        member.start()

    def freeze(self, member: Member) -> None:
        """Stop a worker until the others have put its work back, then let it go on."""
        assert member.process is not None
        member.send(signal.SIGSTOP)
        threading.Event().wait(LEASE * 2)  # time has to pass: nobody tells a frozen process of anything
        member.send(signal.SIGCONT)
        self.freezes += 1


def download_all(server: Server, execution_ids: list[str]) -> list[dict[str, bytes]]:
    found = []
    for execution_id in execution_ids:
        execution = server.wait(execution_id, 300)
        assert execution["status"] == "succeeded", execution
        found.append(server.download(execution))
    return found


def names(count: int, which: int) -> list[str]:
    return [str(100_000 * (which + 1) + n) for n in range(count)]


def trigger_all(server: Server, upstream: Upstream, count: int, executions: int) -> list[str]:
    return [
        server.trigger(
            define_posts(server, upstream.url, names(count, which), concurrency=CONCURRENCY)["workflow"]
        )
        for which in range(executions)
    ]


def run_calmly(folder: Path, upstream: Upstream, count: int, executions: int) -> list[dict[str, bytes]]:
    """Return the files of an undisturbed server; the upstream forgets it and becomes slow."""
    with Server(folder) as server:
        return download_all(server, trigger_all(server, upstream, count, executions))


def judge(storm: Storm, server: Server, ids: list[str], calm: list[dict[str, bytes]]) -> None:
    """The same bytes, exact counters, and no more repeats than the checkpoints allow."""
    assert download_all(server, ids) == calm
    seen = Counter(entry.path + "?" + entry.query for entry in storm.upstream.seen())
    pages = sum(server.execution(id)["counters"]["pages"] for id in ids)
    assert pages == len(seen)
    repeats = sum(seen.values()) - len(seen)
    blows = storm.kills + storm.freezes
    rate = CONCURRENCY * len(ids) / storm.upstream.behaviour.delay
    print(f"\n{storm.kills} kills, {storm.freezes} freezes, {len(seen)} pages, {repeats} repeats", flush=True)
    assert repeats <= blows * rate * UNRECORDED


def strike_embedded(storm: Storm, server: Server, ids: list[str], kills: int) -> None:
    while storm.kills < kills:
        storm.wait()
        if all(server.execution(id)["completed_at"] for id in ids):
            break
        storm.kill(server)


def strike_fleet(storm: Storm, fleet: Fleet, ids: list[str], kills: int, freezes: int) -> None:
    """Kill workers, the server, or both at once; now and then freeze a worker for longer than its lease."""
    blows: list[Callable[[], None]] = [lambda: storm.freeze(storm.chance.choice(fleet.workers))] * freezes
    blows += [lambda: storm.kill(storm.chance.choice(fleet.workers))] * (kills * 7 // 10)
    blows += [lambda: storm.kill(fleet.server)] * (kills - kills * 7 // 10)
    storm.chance.shuffle(blows)
    for blow in blows:
        storm.wait()
        blow()
        if all(fleet.server.execution(id)["completed_at"] for id in ids):
            break


@pytest.mark.parametrize(
    ("count", "kills"),
    [(30, 4), pytest.param(5_000, 100, marks=LONG)],
)
def test_C1_a_storm_over_one_process(count: int, kills: int, tmp_path: Path, upstream: Upstream) -> None:
    """One process with SQLite, killed again and again in the midst of two executions."""
    calm = run_calmly(tmp_path / "calm", upstream, count, 2)
    storm = Storm(upstream, delay=0.1)
    with Server(tmp_path / "storm") as server:
        ids = trigger_all(server, upstream, count, 2)
        strike_embedded(storm, server, ids, kills)
        assert storm.kills >= min(kills, 2)
        judge(storm, server, ids, calm)


@pytest.mark.parametrize(
    ("count", "kills", "freezes"),
    [(150, 4, 1), pytest.param(5_000, 100, 5, marks=LONG)],
)
def test_C1_a_storm_over_three_workers(
    count: int, kills: int, freezes: int, tmp_path: Path, upstream: Upstream, database_url: str
) -> None:
    """Three workers and a server with PostgreSQL, any of them killed or frozen amid two executions."""
    calm = run_calmly(tmp_path / "calm", upstream, count, 2)
    storm = Storm(upstream, delay=0.4)
    with Fleet(tmp_path / "storm", database_url, workers=3) as fleet:
        ids = trigger_all(fleet.server, upstream, count, 2)
        strike_fleet(storm, fleet, ids, kills, freezes)
        assert storm.kills >= min(kills, 2)
        judge(storm, fleet.server, ids, calm)
