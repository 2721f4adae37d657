"""What a process remembers of the indexes that it looked into."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic

from swath.flow.files.index import Index

#: Bytes of indexes that a process remembers.
MOST_REMEMBERED = 16 * 1024 * 1024
#: An index of a running execution serves for so many times what it took to make.
WORTH = 20


class Looks:
    """The indexes last looked into; those of a running execution for a while."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Index, float]] = OrderedDict()

    async def open(self, name: str, make: Callable[[], Awaitable[Index]], *, final: bool) -> Index:
        """Return the index of this name; `final`: it does not change any more."""
        found = self._known.get(name)
        if found is None or found[1] < monotonic():
            start = monotonic()
            index = await make()
            end = monotonic()
            found = self._known[name] = index, float("inf") if final else end + WORTH * (end - start)
        self._known.move_to_end(name)
        self._forget()
        return found[0]

    def _forget(self) -> None:
        while len(self._known) > 1 and sum(index.size for index, _ in self._known.values()) > MOST_REMEMBERED:
            self._known.popitem(last=False)
