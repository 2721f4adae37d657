"""Who waits for a change of an execution is told of it at once, in whichever process it was made.

What is true stands in the database, and whoever waits looks there again after a while: a message that is
lost makes things later, never wrong.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

from swath.errors import Unavailable
from swath.store.database import Database

#: What is said instead of an execution's id when something is to be begun, or a place has become free.
NEW = ""
#: Seconds after which a broken connection is made anew.
LISTEN_AGAIN = 1.0


class Changes:
    """The changes that this process and the others tell each other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events: dict[str, asyncio.Event] = {}
        #: What is told, and looked at, while nobody waits for it.
        self._under_way: set[asyncio.Task[None]] = set()
        self._over = False

    def of(self, execution_id: str) -> asyncio.Event:
        """Return what is set when the execution changes, until `forget`."""
        return self._events.setdefault(execution_id, asyncio.Event())

    def forget(self, execution_id: str) -> None:
        self._events.pop(execution_id, None)

    def note(self, execution_id: str) -> None:
        """Wake whoever waits in this process."""
        if execution_id in self._events:
            self._events[execution_id].set()

    def tell(self, execution_id: str) -> None:
        """Wake whoever waits in any process."""
        self.note(execution_id)
        if self._database.shared:
            self.soon(partial(self._database.announce, execution_id))

    def soon(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something of which nobody needs to know when it is done, nor whether it could be done."""

        async def quietly() -> None:
            with contextlib.suppress(Unavailable):  # the others look by themselves before long
                await work()

        if self._over:
            return
        task = asyncio.ensure_future(quietly())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """End what is under way, before the database closes under it; nothing more is told."""
        self._over = True
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with all that other processes tell, until cancelled."""
        while self._database.shared:
            with contextlib.suppress(Unavailable):  # whoever needs the database tells of its outage
                async for text in self._database.announcements():
                    heard(text)
            await asyncio.sleep(LISTEN_AGAIN)
