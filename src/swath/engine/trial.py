"""Items on trial: where workers died with a shard again and again, the item that kills them is found.

Before anything is sent for an item, a checkpoint notes that it is on trial, so whoever takes the shard next
knows with what the last one died. Those are then tried alone, each page recorded at once. The longer nobody
dies, the more items are tried together: a shard whose workers died for reasons of their own is soon as quick
as any other.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice

from swath.engine.checkpoint import OpenShard
from swath.engine.live import LiveExecution

#: Deaths in a row after which an item is given up, and by how many more for each that was held against an
#: item wrongly: whoever kills workers one after another hits those that did nothing, too.
ENOUGH, MORE = 12, 2

Run = Callable[[Iterator[int]], Awaitable[None]]
GiveUp = Callable[[int], Awaitable[None]]


async def work_with_care(live: LiveExecution, shard: OpenShard, run: Run, give_up: GiveUp) -> None:
    """Have what is left of a shard worked through, so that what a worker dies with is known.

    `run` works on items, `give_up` ends one with which workers died. This process tries one item alone at a
    time, of whichever shard: one's death would be taken for the other's.
    """
    doubt = shard.progress.doubt
    enough = ENOUGH + MORE * shard.progress.false_alarms
    for item in [item for item, deaths in doubt.items() if deaths >= enough]:
        del doubt[item]
        await give_up(item)
    await _begin(live, shard)
    together = 1
    while some := _choose(shard, together):
        together = 1 if doubt else min(2 * together, live.gate.limit)
        async with live.worker.trial if len(some) == 1 else nullcontext():
            await _put_on_trial(live, shard, some)
            await run(iter(some))
        if not doubt.keys().isdisjoint(some):
            _acquit(shard, some)
            break


async def _begin(live: LiveExecution, shard: OpenShard) -> None:
    """Have it known that this shard is on trial, also if the process dies while others are tried."""
    if not shard.progress.doubt:
        shard.progress.doubt.update(dict.fromkeys(_choose(shard, 1), 0))
    shard.changed = True
    await live.checkpoints.commit()


def _choose(shard: OpenShard, together: int) -> Sequence[int]:
    """Return the items to try next: one that a worker may have died with, else some that are new."""
    suspects = sorted(shard.progress.doubt)[:1]
    return suspects or list(islice(shard.progress.unfinished(), together))


async def _put_on_trial(live: LiveExecution, shard: OpenShard, items: Sequence[int]) -> None:
    """Record with what a death of this process will have to do; that says something only of a single one."""
    for item in items:
        shard.progress.doubt[item] = shard.progress.doubt.get(item, 0) + (len(items) == 1)
    shard.changed = True
    await live.checkpoints.commit()


def _acquit(shard: OpenShard, items: Sequence[int]) -> None:
    """Take back a trial that ended because the shard is left, and not because the process died."""
    for item in items:
        if shard.progress.doubt.get(item):
            shard.progress.doubt[item] -= 1
    shard.changed = True
