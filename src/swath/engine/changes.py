"""Who waits for a change of an execution is told of it at once, in whichever process it was made.

What is true stands in the database, and whoever waits looks there again after a while: a message that is
lost makes things later, never wrong.
"""

import asyncio
import contextlib
from collections.abc import Callable

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
        self._telling: set[asyncio.Task[None]] = set()

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
            task = asyncio.ensure_future(self._announce(execution_id))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _announce(self, execution_id: str) -> None:
        with contextlib.suppress(Unavailable):  # the others look by themselves before long
            await self._database.announce(execution_id)

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with all that other processes tell, until cancelled."""
        while self._database.shared:
            with contextlib.suppress(Unavailable):  # whoever needs the database tells of its outage
                async for text in self._database.announcements():
                    heard(text)
            await asyncio.sleep(LISTEN_AGAIN)
