"""Whether more workers finish an execution sooner that waits for its upstream, and what memory each takes."""

import secrets
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import requests
from tests.postgres import Postgres

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.processes import cpu, watch
from benchmarks.report import table
from benchmarks.served import serve, work
from benchmarks.whole_way import ROWS, upstream

#: Workers of the runs; the goals are times one worker's speed.
WORKERS = (1, 2, 3)
GOALS = {2: 1.8, 3: 2.5}
#: Requests that one worker has under way, and seconds that the upstream takes for each.
CONCURRENCY, DELAY = 32, 0.2
#: Responses of a run, and of the one that memory is compared with.
COUNT, MORE = 6_000, 18_000


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds from the first request to the last answer, and from trigger to file; who did what."""

    count: int
    fetching: float
    whole: float
    #: Pages that each worker recorded, the most first.
    pages: Sequence[int]
    #: CPU seconds of all workers together, and of the database.
    cpu: float
    database: float
    #: MiB of the worker that took most, with its own worker processes.
    peak: float


def measure(choice: Choice) -> str:
    runs: dict[int, list[Run]] = {workers: [] for workers in WORKERS}
    with Postgres() as postgres, upstream("--delay", str(DELAY)) as url:
        for _ in range(choice.rounds):
            for workers in WORKERS:
                runs[workers].append(_run(postgres, url, workers, choice.amount(COUNT)))
        large = _run(postgres, url, WORKERS[-1], choice.amount(MORE))
    return _write(runs, large, choice)


def _run(postgres: Postgres, url: str, workers: int, count: int) -> Run:
    folder, database = fresh_folder("workers"), postgres.create()
    shared = {
        "SWATH_DATABASE_URL": database,
        "SWATH_SECRET_KEY": secrets.token_hex(),
        "SWATH_TOKEN": secrets.token_hex(),
    }
    with ExitStack() as stack:
        served = stack.enter_context(serve(folder, "--no-worker", **shared))
        pids = {str(n): stack.enter_context(work(folder, **shared)) for n in range(workers)}
        workflow = served.define(url, count, CONCURRENCY)
        requests.post(f"{url}/_control", json={"reset": True})
        before = [sum(map(cpu, pids.values())), cpu(postgres.pid)]
        with watch(pids) as peaks:
            _, whole = served.execute(workflow, count * ROWS, every=0.2)
        after = [sum(map(cpu, pids.values())), cpu(postgres.pid)]
        pages = _pages_by_worker(database)
    postgres.drop(database)
    spent = [late - early for early, late in zip(before, after, strict=True)]
    most = max(peak.whole for peak in peaks.values())
    run = Run(count, _fetching(url), whole, pages + [0] * (workers - len(pages)), *spent, most)
    print(f"{workers} workers, {count} responses: {run.fetching:.1f} s of {whole:.1f} s, pages {run.pages}")
    return run


def _fetching(url: str) -> float:
    """Return the seconds from the first request that the upstream saw to its last answer."""
    seen = requests.get(f"{url}/_log").json()["requests"]
    return float(seen[-1]["time"] - seen[0]["time"] + DELAY)


def _pages_by_worker(database: str) -> list[int]:
    """Return how many pages each worker fetched that had any, the most first."""
    query = """
        SELECT sum(f.pages) FROM frames f
        JOIN swath_engine.workflow_status w ON w.workflow_uuid LIKE f.execution_id || ':' || f.shard || ':%'
        GROUP BY w.executor_id ORDER BY 1 DESC
    """
    with psycopg.connect(database) as connection:
        return [int(pages) for (pages,) in connection.execute(query)]


def _write(runs: dict[int, list[Run]], large: Run, choice: Choice) -> str:
    rows = []
    for workers, found in runs.items():
        ratios = [one.fetching / run.fetching for one, run in zip(runs[WORKERS[0]], found, strict=True)]
        rows.append(
            (
                str(workers),
                f"{statistics.median(run.fetching for run in found):.1f}",
                f"{statistics.median(run.count / run.fetching for run in found):.0f}",
                f"{workers * CONCURRENCY / DELAY:.0f}",
                f"{statistics.median(ratios):.2f}×",
                f"{GOALS[workers]}×" if workers in GOALS else "",
                f"{statistics.median(run.whole for run in found):.1f}",
                f"{statistics.median((run.cpu + run.database) / run.whole for run in found):.2f}",
                " + ".join(map(str, found[-1].pages)),
            )
        )
    head = (
        "workers", "fetching s", "requests/s", "at most", "speed", "goal",
        "trigger to file s", "cores busy", "pages by worker",
    )  # fmt: skip
    small = statistics.median(run.peak for run in runs[WORKERS[-1]])
    count, bound = runs[1][0].count, CONCURRENCY / DELAY
    return f"""## Workers: an execution that waits for its upstream

`swath serve --no-worker` and so many `swath worker`, over PostgreSQL and a folder, {choice.rounds}
alternating rounds, medians; {count:,} requests of {ROWS} rows each. The upstream is a process of its own that
answers each request after {DELAY} s, and the workflow's concurrency lets each worker have {CONCURRENCY}
requests under way: that, and no processor, bounds a worker to {bound:.0f} requests a second (*at most*).
*Fetching* is from the first request that the upstream saw to its last answer. *Cores busy* is the CPU of
workers and database by the second.

{table(head, rows)}

Memory of the worker that took most, with its worker processes, of {WORKERS[-1]}: {small:.0f} MiB in runs of
{count:,} requests, {large.peak:.0f} MiB in one of {large.count:,}.
"""
