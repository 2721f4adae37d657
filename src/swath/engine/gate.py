"""Admission: a place among the concurrent requests and a slot of every scope, both at one moment.

Nobody holds one while waiting for the other. A request that held its place through a pause would keep
others from exits that are free; one that held its slot while waiting for a place would be sent later
than its slot says, together with those behind it.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from swath.engine.pacing import Pacer, Paces

#: Called before each wait, and again when something has changed: returns the paces to keep, or raises.
Prepare = Callable[[], Paces]


class Gate:
    """The gate of one execution. `limit` is how many requests may be under way, and may be changed."""

    def __init__(self, pacer: Pacer, limit: int) -> None:
        self._pacer = pacer
        self._limit = limit
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        #: Set, and replaced, when the limit changes.
        self.changed = asyncio.Event()
        #: Waits for a slot, in the order of their coming.
        self._turns: dict[asyncio.Future[float], None] = {}

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self.changed.set()
        self.changed = asyncio.Event()
        self._let_in()

    async def enter(self, prepare: Prepare) -> None:
        """Wait until a request may be sent; `leave` must follow. Raises what `prepare` raises."""
        overtake = False
        while True:
            if self._inside < self._limit:  # then nobody waits for a place either
                self._inside += 1
            else:
                await self._wait_for_place()
            paces = self._prepare_inside(prepare)
            if self._pacer.try_slot(paces, overtake=overtake):
                return
            self.leave()
            overtake = await self._wait_for_turn(paces)
            if overtake:
                if self._inside < self._limit:
                    self._inside += 1
                    return
                self._pacer.give_back(paces)

    def leave(self) -> None:
        """The request is over: another may come."""
        self._inside -= 1
        self._let_in()

    async def pass_again(self, prepare: Prepare) -> None:
        """Wait for the slot of a redirect, keeping the place."""
        while not await self._wait_for_turn(prepare()):
            pass

    def recheck(self) -> None:
        """Have all who wait for a slot look again at what they wait for."""
        for turn in list(self._turns):
            turn.cancel()

    def _prepare_inside(self, prepare: Prepare) -> Paces:
        try:
            return prepare()
        except BaseException:
            self.leave()
            raise

    async def _wait_for_turn(self, paces: Paces) -> bool:
        """Wait for a slot and take it; False where `recheck` has ended the wait."""
        turn = asyncio.ensure_future(self._pacer.slot(paces))
        self._turns[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return False
        finally:
            del self._turns[turn]
        return True

    async def _wait_for_place(self) -> None:
        """Wait for a place and take it, first come first served."""
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def _let_in(self) -> None:
        while self._waiting and self._inside < self._limit:
            place = self._waiting.popleft()
            if not place.done():
                self._inside += 1
                place.set_result(None)
