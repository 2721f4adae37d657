"""What a storm does to whom, and how long it takes until the work of who was hit goes on elsewhere."""

import os
import random
import signal
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from fleet import LEASE, Member
from gated import Gated
from server import PATIENCE, Server, wait_until

from swath.demo.upstream import Behaviour

#: Executions at a time.
EXECUTIONS = 3
#: Seconds of answers that no checkpoint may have recorded: its interval, and what its writing takes.
UNRECORDED = 2.5
#: Seconds between two looks whether somebody has taken up what was left, and whether all has ended.
LOOK = 0.05
LOOK_AT_ENDS = 1.0
#: Answers beside those that are let pass: some go to who died before they came.
MORE = 40

#: A shard by execution and number.
Shard = tuple[str, int]
Victim = Server | Member


class Storm:
    """Blows that fall at random moments; the same for the same `STORM` of the environment."""

    def __init__(self, upstream: Gated, watch: "Watch", blows: int, delay: float) -> None:
        self.upstream = upstream
        #: How many requests a calm run has made; then it is forgotten, and the upstream slow.
        self.enough = upstream.total
        upstream.reset()
        upstream.behaviour = Behaviour(delay=delay, hiccup_every=0, limit=None)
        self.chance = random.Random(int(os.environ.get("STORM", "1")))
        #: Requests that pass at most before the next blow, so that there is work left for the last one.
        self._most = max(12, self.enough // blows)
        self._watch = watch
        self._looked = 0.0
        self.kills = self.both = self.children = self.freezes = 0

    def wait(self) -> None:
        """Let some requests pass, and hardly more until the blow has fallen: a moment by the upstream's
        count, and not by a clock; often too few for a checkpoint."""
        seen = self.upstream.total
        more = self.chance.choice([self.chance.randint(1, 10), self.chance.randint(10, self._most)])
        self.upstream.hold(more + MORE)
        wait_until(lambda: self.upstream.total >= seen + more or self.over(), "requests are sent", PATIENCE)

    def over(self) -> bool:
        """Tell whether there is nothing left to disturb, looking now and then."""
        if time.monotonic() < self._looked + LOOK_AT_ENDS:
            return False
        self._looked = time.monotonic()
        return not self._watch.unended()

    def strike(self, blows: Sequence[Callable[[], None]]) -> None:
        """Deal blows at random moments until none is left, or nothing to disturb."""
        for blow in blows:
            self.wait()
            if not self._watch.unended():
                break
            blow()
        self.upstream.let_go()

    def choose(self, members: Sequence[Member]) -> Member:
        """Return a member by chance, of those that are up if any is: others work on while one starts."""
        return self.chance.choice([member for member in members if member.is_up()] or list(members))

    def kill(self, *victims: Victim) -> None:
        """Kill processes at once, and start them anew, without waiting until they are up."""
        for victim in victims:
            victim.ready()
            self._watch.note(victim)
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.begin()
        self.kills += 1
        self.both += len(victims) > 1

    def kill_child(self, victim: Victim) -> None:
        """Kill one of the processes that write files for another, if there is any."""
        victim.ready()
        if children := list_children(victim):
            os.kill(self.chance.choice(children), signal.SIGKILL)
            self.children += 1

    def freeze(self, victim: Member) -> None:
        """Stop a worker until the others have put its work back, then let it go on."""
        victim.ready()
        self._watch.note(victim)
        victim.send(signal.SIGSTOP)
        threading.Event().wait(LEASE * 2)  # time has to pass: nobody tells a frozen process of anything
        victim.send(signal.SIGCONT)
        self.freezes += 1

    def tell(self, repeats: int, pages: int) -> str:
        """Say in a few lines what was done and what came of it."""
        blows = self.kills + self.children + self.freezes
        return (
            f"{self.kills} kills, {self.both} of them of two processes at once, {self.freezes} freezes, "
            f"{self.children} kills of children; {pages} pages, {repeats} repeats, {repeats / blows:.1f} "
            f"a blow; work went on after {self._watch.tell()}"
        )


def list_children(victim: Victim) -> list[int]:
    """Return the processes below it, at any depth: those that work are copies of another."""
    assert victim.process is not None
    return _below(victim.process.pid)


def _below(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return []
    found = [int(child) for child in listed.split()]
    return found + [below for child in found for below in _below(child)]


@dataclass(frozen=True)
class Left:
    """A shard that somebody had when hit, by the claim then."""

    at: float
    shard: Shard
    claim: int


class Watch:
    """Looks for whoever takes up what victims had: a shard goes on when it is claimed again, or has ended."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._left: list[Left] = []
        self._lock = threading.Lock()

    def held_by(self, victim: Victim) -> Sequence[Shard]:
        """Return the shards that a victim works on."""
        raise NotImplementedError

    def claims(self) -> Mapping[Shard, tuple[int, str]]:
        """Return claim and state of all shards."""
        raise NotImplementedError

    def unended(self) -> int:
        """Return how many executions have not ended."""
        raise NotImplementedError

    def note(self, victim: Victim) -> None:
        """Remember what somebody has who is about to be hit."""
        claims, now = self.claims(), time.monotonic()
        taken = [shard for shard in self.held_by(victim) if claims[shard][1] == "taken"]
        with self._lock:
            self._left += [Left(now, shard, claims[shard][0]) for shard in taken]

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look out, in a thread, for as long as the storm lasts."""
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self, over: threading.Event) -> None:
        while not over.wait(LOOK):
            claims, now = self.claims(), time.monotonic()
            with self._lock:
                gone_on = [left for left in self._left if self._goes_on(left, *claims[left.shard])]
                self.times += [now - left.at for left in gone_on]
                self._left = [left for left in self._left if left not in gone_on]

    def _goes_on(self, left: Left, claim: int, state: str) -> bool:
        return claim > left.claim or state != "taken"

    def tell(self) -> str:
        assert not self._left, f"nobody took up {self._left}"
        if not self.times:
            return "no time: nobody had a shard"
        shortest, middle, longest = min(self.times), statistics.median(self.times), max(self.times)
        return f"{shortest:.1f} s at best, {middle:.1f} s in the median, {longest:.1f} s at worst"


QUERY = "SELECT execution_id, number, claim, state FROM shards"
UNENDED = "SELECT count(*) FROM executions WHERE completed_at IS NULL"
#: What the durable engine knows of who works on what; a shard's is called execution:number:batch.
HELD = """SELECT workflow_uuid FROM swath_engine.workflow_status
          WHERE executor_id = %s AND status = 'PENDING' AND name = 'run_shard'"""


class OneProcess(Watch):
    """Of a process with SQLite, which has all that is taken."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._place = f"file:{folder / 'swath.db'}?mode=ro"

    def held_by(self, victim: Victim) -> Sequence[Shard]:
        return list(self.claims())

    def claims(self) -> Mapping[Shard, tuple[int, str]]:
        with closing(sqlite3.connect(self._place, uri=True)) as connection:
            return as_claims(connection.execute(QUERY))

    def unended(self) -> int:
        with closing(sqlite3.connect(self._place, uri=True)) as connection:
            return int(connection.execute(UNENDED).fetchone()[0])


class Workers(Watch):
    """Of workers with PostgreSQL."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def held_by(self, victim: Victim) -> Sequence[Shard]:
        if not isinstance(victim, Member):
            return []
        with psycopg.connect(self._url) as connection:
            names = [name.split(":") for (name,) in connection.execute(HELD, (victim.name,))]
        return [(execution_id, int(number)) for execution_id, number, _ in names]

    def claims(self) -> Mapping[Shard, tuple[int, str]]:
        with psycopg.connect(self._url) as connection:
            return as_claims(connection.execute(QUERY))

    def unended(self) -> int:
        with psycopg.connect(self._url) as connection:
            (found,) = connection.execute(UNENDED).fetchone() or (0,)
        return int(found)


def as_claims(rows: Any) -> Mapping[Shard, tuple[int, str]]:
    return {(execution_id, number): (claim, state) for execution_id, number, claim, state in rows}
