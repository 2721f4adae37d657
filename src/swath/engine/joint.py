"""The pace of scopes that all workers of a database keep together."""

from collections.abc import Callable
from functools import partial

import msgspec

from swath.engine.changes import Changes
from swath.engine.outages import Outages
from swath.store import scopes
from swath.store.database import Database


class Held(msgspec.Struct, kw_only=True):
    """What a worker tells the others when a target has asked for a pause."""

    held: str
    seconds: float
    #: Whether it has refused for being asked too often.
    refused: bool = False


class JointPace:
    """Slots come from the database, and pauses are told to all who share it."""

    def __init__(self, database: Database, changes: Changes, outages: Outages) -> None:
        self._database = database
        self._outlast = outages.outlast
        self._changes = changes

    async def reserve(self, key: str, interval: float, count: int) -> float:
        """Take the next slots of a scope; return the seconds until the first of them is due."""
        return await self._outlast(lambda: self._database.act(scopes.reserve, key, interval, count))

    def hold(self, key: str, seconds: float, refused: bool) -> None:
        """Hold a scope for some seconds in every process, and have each go slower after a refusal."""
        self._changes.soon(partial(self._hold, Held(held=key, seconds=seconds, refused=refused)))

    def restart(self, key: str) -> None:
        """Have a scope's next slot due now."""
        self._changes.soon(partial(self._database.act, scopes.restart, key))

    async def find_held(self) -> dict[str, float]:
        """Return the scopes that are held, and for how many seconds: for a worker that heard of none."""
        await self._database.act(scopes.forget_idle)
        return await self._database.read(scopes.find_held)

    async def _hold(self, told: Held) -> None:
        self._changes.tell(msgspec.json.encode(told).decode())
        await self._outlast(lambda: self._database.act(scopes.hold, told.held, told.seconds))


def heed(text: str, pause: Callable[[str, float], None], strain: Callable[[str], None]) -> bool:
    """Pause the scope of which another worker tells; False where it tells of something else.

    Where that one was refused, so would this one have been before long: its own pace is strained, too.
    """
    if not text.startswith("{"):
        return False
    told = msgspec.json.decode(text, type=Held)
    if told.refused:
        strain(told.held)
    pause(told.held, told.seconds)
    return True
