"""Kills at random moments, over several executions: the files are those of a calm run, byte for byte.

The short form runs in `make test`, the long one by `make storm`; `docs/storm.md` has what came out.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fleet import LEASE, Fleet
from gated import Gated
from server import Server, define_posts
from storm import EXECUTIONS, UNRECORDED, OneProcess, Storm, Workers

#: How many requests an execution may have under way in one process: those are lost with it.
CONCURRENCY = 6
LONG = [pytest.mark.slow, pytest.mark.timeout(3_600)]
#: Seconds for which an execution may go on when the storm is over.
PATIENCE = 600


def download_all(server: Server, execution_ids: list[str]) -> list[dict[str, bytes]]:
    found = []
    for execution_id in execution_ids:
        execution = server.wait(execution_id, PATIENCE)
        assert execution["status"] == "succeeded", execution
        found.append(server.download(execution))
    return found


def trigger_all(server: Server, upstream: Gated, count: int) -> list[str]:
    """Trigger executions over lists that have nothing in common."""
    found = []
    for which in range(1, EXECUTIONS + 1):
        users = [str(100_000 * which + n) for n in range(count)]
        defined = define_posts(server, upstream.url, users, concurrency=CONCURRENCY)
        found.append(server.trigger(defined["workflow"]))
    return found


def run_calmly(folder: Path, upstream: Gated, count: int) -> list[dict[str, bytes]]:
    """Return the files of an undisturbed server."""
    with Server(folder) as server:
        return download_all(server, trigger_all(server, upstream, count))


def judge(storm: Storm, server: Server, ids: list[str], calm: list[dict[str, bytes]]) -> None:
    """The same bytes, exact counters, and no more repeats than the checkpoints allow."""
    assert download_all(server, ids) == calm
    seen = Counter(entry.path + "?" + entry.query for entry in storm.upstream.seen())
    pages = sum(server.execution(id)["counters"]["pages"] for id in ids)
    assert pages == len(seen)
    repeats = sum(seen.values()) - len(seen)
    print(f"\n{storm.tell(repeats, pages)}", flush=True)
    blows = storm.kills + storm.both + storm.freezes
    rate = CONCURRENCY * EXECUTIONS / storm.upstream.behaviour.delay
    assert repeats <= blows * rate * UNRECORDED


@pytest.mark.parametrize(("count", "kills", "least"), [(20, 4, 2), pytest.param(500, 100, 100, marks=LONG)])
def test_C1_a_storm_over_one_process(
    count: int, kills: int, least: int, tmp_path: Path, upstream: Gated
) -> None:
    """One process with SQLite, and now and then a child of it, killed again and again amid executions."""
    calm = run_calmly(tmp_path / "calm", upstream, count)
    watch = OneProcess(tmp_path / "storm")
    storm = Storm(upstream, watch, kills, delay=0.1)
    with Server(tmp_path / "storm") as server:
        ids = trigger_all(server, upstream, count)
        blows = [lambda: storm.kill(server)] * kills + [lambda: storm.kill_child(server)] * (kills // 5)
        storm.chance.shuffle(blows)
        with watch.looking():
            storm.strike(blows)
            judge(storm, server.ready(), ids, calm)
        assert storm.kills >= least


@pytest.mark.parametrize(
    ("count", "kills", "freezes", "least", "delay"),
    [(100, 4, 1, 2, 0.3), pytest.param(3_000, 100, 5, 100, 1.0, marks=LONG)],
)
def test_C1_a_storm_over_three_workers(
    count: int,
    kills: int,
    freezes: int,
    least: int,
    delay: float,
    tmp_path: Path,
    upstream: Gated,
    database_url: str,
) -> None:
    """Three workers and a server with PostgreSQL: any of them killed, a worker and the server at once, a
    child of a worker, or a worker frozen for longer than its lease."""
    calm = run_calmly(tmp_path / "calm", upstream, count)
    watch = Workers(database_url)
    storm = Storm(upstream, watch, kills, delay=delay)
    with Fleet(tmp_path / "storm", database_url, workers=3, lease=LEASE) as fleet:
        ids = trigger_all(fleet.server, upstream, count)
        with watch.looking():
            storm.strike(blows_over(storm, fleet, kills, freezes))
            judge(storm, fleet.server.ready(), ids, calm)
        assert storm.kills >= least


def blows_over(storm: Storm, fleet: Fleet, kills: int, freezes: int) -> list[Callable[[], None]]:
    """Return blows in an order of chance: half of the kills are a worker's, a quarter the server's."""
    quarter = kills // 4
    blows: list[Callable[[], None]] = [lambda: storm.freeze(storm.choose(fleet.workers))] * freezes
    blows += [lambda: storm.kill_child(storm.choose(fleet.workers))] * (kills // 5)
    blows += [lambda: storm.kill(storm.choose(fleet.workers))] * (kills - 2 * quarter)
    blows += [lambda: storm.kill(fleet.server)] * quarter
    blows += [lambda: storm.kill(storm.choose(fleet.workers), fleet.server)] * quarter
    storm.chance.shuffle(blows)
    return blows
