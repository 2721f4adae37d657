"""Three workers keep one pace: the upstream's own times decide."""

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from fleet import Fleet
from server import define_posts, wait_until

from swath.demo.upstream import Behaviour, Limit, Upstream


class Pulse(threading.Thread):
    """Measures for how long this machine lets nobody run: by so much its times may be wrong."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        last = time.monotonic()
        while not self._over.wait(0.002):
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now

    def end(self) -> float:
        self._over.set()
        self.join()
        return self.longest


def worst_window(times: list[float]) -> int:
    """Return how many requests came within the worst second."""
    times = sorted(times)
    return max(sum(1 for other in times[place:] if other - time < 1.0) for place, time in enumerate(times))


def run_three(limit: int, users: int, folder: Path, upstream: Upstream, database_url: str) -> float:
    """Run three executions on three workers in one scope; return when the first of them was triggered."""
    rate = [{"scope": "target", "requests": limit, "per_seconds": 1}]
    with Fleet(folder, database_url, workers=3) as fleet:
        names = [str(n) for n in range(users)]
        defined = define_posts(fleet.server, upstream.url, names, concurrency=16, rate_limits=rate)
        begun = time.time()
        for execution_id in [fleet.server.trigger(defined["workflow"]) for _ in range(3)]:
            assert fleet.server.wait(execution_id)["status"] == "succeeded"
    return begun


def test_one_scope_is_never_ahead_of_its_limit(tmp_path: Path, upstream: Upstream, database_url: str) -> None:
    """Three executions on three workers: no request comes before its turn, however late others are."""
    limit = 20
    begun = run_three(limit, 12, tmp_path / "fleet", upstream, database_url)
    times = sorted(entry.time for entry in upstream.seen())
    assert len(times) > 4 * limit
    assert [turn for turn, time in enumerate(times) if time < begun + (turn - 1) / limit] == []


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "users", "most"), [(20, 9, 21), (60, 24, 63)])
def test_one_scope_is_never_faster_than_its_limit(
    limit: int, users: int, most: int, tmp_path: Path, upstream: Upstream, database_url: str
) -> None:
    """In the worst second it is one more than the limit, or a twentieth, on a machine at rest."""
    pulse = Pulse()
    pulse.start()
    run_three(limit, users, tmp_path / "fleet", upstream, database_url)
    stalled = pulse.end()
    times = [entry.time for entry in upstream.seen()]
    assert len(times) > 2 * limit
    assert worst_window(times) <= most + round(limit * stalled)


def test_a_refusal_holds_the_scope_in_every_worker(
    tmp_path: Path, upstream: Upstream, database_url: str
) -> None:
    """One of them is told to wait: all of them do, once they have heard of it."""
    asked_for = 15.0
    limit = Limit(60, 60.0, retry_after=round(asked_for))
    upstream.behaviour = Behaviour(delay=0.2, hiccup_every=0, limit=limit)
    with Fleet(tmp_path / "fleet", database_url, workers=3) as fleet:
        defined = define_posts(fleet.server, upstream.url, [str(n) for n in range(60)], concurrency=16)
        execution_id = fleet.server.trigger(defined["workflow"])
        wait_until(lambda: any(entry.status == 429 for entry in upstream.seen()), "one is refused")
        first = next(entry.time for entry in upstream.seen() if entry.status == 429)
        upstream.behaviour = Behaviour(delay=0.02, hiccup_every=0, limit=None)
        execution = fleet.server.wait(execution_id)
        assert execution["status"] == "succeeded"
    held = [entry.time for entry in upstream.seen() if entry.time < first + asked_for]
    assert max(after - before for before, after in pairwise([*held, first + asked_for])) > asked_for / 3
