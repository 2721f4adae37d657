"""Pages asked for before their turn, where a total says that they are there; handed out in order.

Only about as many as have proved right: two pages at first, one more after each that was taken.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from swath.engine.tried import Obtained
from swath.flow.paging import State

Ask = Callable[[State], Awaitable[Obtained]]


class Ahead:
    """The pages of one item that are under way."""

    def __init__(self, ask: Ask, most: int) -> None:
        self._ask = ask
        self._most = most
        self._window = 0
        self._asked: list[tuple[State, asyncio.Task[Obtained]]] = []

    @property
    def window(self) -> int:
        """How many pages may be asked for before their turn."""
        return self._window

    async def take(self, state: State) -> Obtained:
        """Return the page of a state, asked for already or not; what it raises comes only now."""
        if self._asked and self._asked[0][0] == state:
            _, task = self._asked.pop(0)
            self._window = min(self._window + 1, self._most)
            return await task
        self.close()
        self._window = min(2, self._most)
        return await self._ask(state)

    def expect(self, states: Sequence[State]) -> None:
        """Ask for the pages of these states, which are to come in this order, and for no others."""
        known = [state for state, _ in self._asked]
        if known != list(states[: len(known)]):
            self.close()
        for state in states[len(self._asked) :]:
            self._asked.append((state, asyncio.ensure_future(self._ask(state))))

    def close(self) -> None:
        """Ask for no more; what was asked for in vain stays spent."""
        for _, task in self._asked:
            task.cancel()
            task.add_done_callback(_ignore)
        self._asked.clear()


def _ignore(task: "asyncio.Task[Obtained]") -> None:
    """Whatever became of a page that nobody wants, nobody wants to hear of it."""
    if not task.cancelled():
        task.exception()
