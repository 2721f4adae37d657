"""Of a shard that workers die with, exactly the items that kill them are given up."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st

from swath.engine.checkpoint import OpenShard
from swath.engine.live import LiveExecution
from swath.engine.trial import ENOUGH, MORE, work_with_care
from swath.flow.execution import StopReason
from swath.flow.shard import ShardProgress

LIMIT = 8
ITEMS = 40


class DiedError(Exception):
    """The worker is gone; what no checkpoint recorded is gone with it."""


class Gate:
    limit = LIMIT


class Database:
    """What lasts of a shard, and all that a trial needs to know of an execution."""

    gate = Gate()

    def __init__(self, items: int) -> None:
        self.kept = ShardProgress.new(0, items).encode()
        self.commits = 0
        self.checkpoints = self.worker = self
        self.trial = asyncio.Lock()
        self.shard = self.open()

    def open(self) -> OpenShard:
        self.shard = OpenShard(0, 1, ShardProgress.decode(self.kept))
        return self.shard

    async def commit(self) -> None:
        self.kept = self.shard.progress.encode()
        self.commits += 1


class Life:
    """A worker that dies with deadly items, and after so many things done whatever they are."""

    def __init__(self, database: Database, deadly: set[int], steps: int = 1_000_000) -> None:
        self._live = cast("LiveExecution", cast("Any", database))
        self._shard = database.open()
        self._database, self._deadly, self._steps = database, deadly, steps

    async def work(self) -> None:
        await work_with_care(self._live, self._shard, self._run, self._give_up)
        await self._database.commit()

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise DiedError

    async def _run(self, items: Iterator[int]) -> None:
        for item in items:
            self._step()
            if item in self._deadly:
                raise DiedError
            self._step()
            self._shard.end(item, StopReason.COMPLETE)

    async def _give_up(self, item: int) -> None:
        self._shard.end(item, StopReason.FAILED)


def live_through(database: Database, deadly: set[int], lives: Iterable[int]) -> int:
    """Let one worker after another work, until one comes to the end; return how many died."""
    for deaths, steps in enumerate(lives):
        try:
            asyncio.run(Life(database, deadly, steps).work())
        except DiedError:
            continue
        return deaths
    raise AssertionError("Nobody came to an end.")


def failed(database: Database) -> set[int]:
    progress = ShardProgress.decode(database.kept)
    assert not list(progress.unfinished())
    assert not progress.doubt
    return set(progress.ended_for([StopReason.FAILED]))


@given(st.sets(st.integers(0, ITEMS - 1), max_size=6))
def test_exactly_the_deadly_items_are_given_up(deadly: set[int]) -> None:
    """Each costs no more deaths than it takes to be sure of one, and one to find it."""
    database = Database(ITEMS)
    deaths = live_through(database, deadly, [1_000_000] * 200)
    assert failed(database) == deadly
    assert deaths <= len(deadly) * (1 + ENOUGH)


@given(st.lists(st.integers(0, ENOUGH - 2), max_size=20))
@example([0, ENOUGH - 2])
def test_kills_from_outside_end_nothing(storms: list[int]) -> None:
    """However many workers are killed before their first answer: now and then one lives a little longer.

    With what it died, the next item is charged too: it is one death more than those before an answer.
    """
    lives = [steps for killed in storms for steps in (*[0] * killed, 2)]
    database = Database(6)
    live_through(database, set(), [*lives, 1_000_000])
    assert failed(database) == set()


@given(st.integers(2, ENOUGH - 1))
def test_whoever_has_killed_in_vain_is_believed_less(killed: int) -> None:
    """Deaths that were held against an item that went on bear with the next."""
    more = ENOUGH + MORE * killed - 1  # the life that came to an end began with it
    for deaths, given_up in ((more - 1, set()), (more, {1})):
        database = Database(2)
        live_through(database, set(), [*[0] * killed, 2, *[0] * deaths, 1_000_000])
        assert failed(database) == given_up


def test_a_shard_that_nobody_dies_with_is_soon_worked_on_as_usual() -> None:
    """Its trials grow to the concurrency: a few checkpoints, and not one for each item."""
    database = Database(8 * LIMIT)
    assert live_through(database, set(), [1_000_000]) == 0
    assert database.commits < 16
