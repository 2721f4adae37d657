"""An upstream that answers nobody any more: items wait for it together, and none of them fails for it.

Tries are an item's own. Where a target that has answered before gives no answer to anybody, its items are
not at fault: they keep what they have, and ask one after another, ever more seldom, whether it is back.
"""

import asyncio
from collections.abc import Awaitable, Callable

from swath.engine.outages import Outages
from swath.engine.times import now_ms
from swath.store.waits import Wait

#: Attempts in vain in a row, the items that made them and the exits they took, after which a target counts as
#: gone. Where not even a connection comes about, one is enough: that is no item's doing.
ATTEMPTS, ITEMS, EXITS = 10, 3, 2
#: Seconds between two that ask; they grow.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

Sleep = Callable[[float], Awaitable[None]]


class Silence:
    """Whether one target is silent. `begin` and `end` are called when it counts as gone, and when no more."""

    def __init__(
        self, heard: bool, clock: Callable[[], float], begin: Callable[[str], None], end: Callable[[], None]
    ) -> None:
        #: Whether it has ever answered: a host that does not exist is the definition's fault.
        self._heard = heard
        self._clock = clock
        self._begin, self._end = begin, end
        self._attempts = 0
        self._items: set[int] = set()
        self._exits: set[str] = set()
        self._since: float | None = None
        self._pause = FIRST_PAUSE
        self._turn = asyncio.Lock()
        self._back = asyncio.Event()
        self.gone = False

    @property
    def lasted(self) -> float:
        """Return for how many seconds nobody was answered."""
        return 0.0 if self._since is None else self._clock() - self._since

    def hear(self) -> None:
        """Somebody was answered."""
        self._heard = True
        if self._since is None:
            return
        self._attempts, self._since, self._pause = 0, None, FIRST_PAUSE
        self._items.clear()
        self._exits.clear()
        if self.gone:
            self.gone = False
            self._back.set()
            self._end()

    def miss(self, item: int, exit: str, of: int, why: str, surely: bool) -> bool:
        """Somebody was not answered, by an exit `of` so many; tells whether the target counts as gone."""
        if not self._heard:
            return False
        if self._since is None:
            self._since = self._clock()
        self._attempts += 1
        self._items.add(item)
        self._exits.add(exit)
        many = self._attempts >= ATTEMPTS and len(self._items) >= ITEMS
        if not self.gone and (surely or (many and len(self._exits) >= min(EXITS, of))):
            self.gone = True
            self._back.clear()
            self._begin(why)
        return self.gone

    async def sit_out(self, sleep: Sleep) -> None:
        """Wait until somebody was answered, or until it is the caller's turn to ask."""
        async with self._turn:
            if not self.gone:
                return
            pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
            waits = [asyncio.ensure_future(sleep(pause)), asyncio.ensure_future(self._back.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()


class Silences:
    """The targets of one execution in this process."""

    def __init__(
        self, execution_id: str, outages: Outages, *, heard: bool, clock: Callable[[], float]
    ) -> None:
        self._execution_id = execution_id
        self._outages = outages
        self._heard = heard
        self._clock = clock
        self._targets: dict[str, Silence] = {}

    def of(self, target: str) -> Silence:
        if target not in self._targets:
            key = f"{self._execution_id} {target}"

            def begin(why: str) -> None:
                wait = Wait("upstream", f"{target} does not answer any more: {why}.", now_ms())
                self._outages.begin(key, wait, self._execution_id)

            def end() -> None:
                self._outages.end(key, self._execution_id, is_back=True)

            self._targets[target] = Silence(self._heard, self._clock, begin, end)
        return self._targets[target]

    def close(self) -> None:
        """Nobody waits for them here any more."""
        for target, silence in self._targets.items():
            if silence.gone:
                self._outages.end(f"{self._execution_id} {target}", self._execution_id, is_back=False)
        self._targets.clear()
