"""What every operation works with, and for whom."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from swath.settings import Settings
from swath.store.database import Database
from swath.store.vault import Vault


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may ask for things."""

    id: str
    name: str
    admin: bool


@dataclass(slots=True)
class Session:
    """A token that was used: whose it is, and when that was last written down, in milliseconds."""

    token_id: str
    user: User
    noted_at: int


@dataclass(slots=True)
class Locks:
    """One lock for each thing that only one change at a time may work on."""

    _held: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def of(self, thing: str) -> asyncio.Lock:
        return self._held.setdefault(thing, asyncio.Lock())

    def held(self, thing: str) -> bool:
        return thing in self._held and self._held[thing].locked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of the house, and what this process remembers between two requests."""

    settings: Settings
    database: Database
    vault: Vault
    objects: Any
    engine: Any
    locks: Locks = field(default_factory=Locks)
    #: By the digest of the token.
    sessions: dict[str, Session] = field(default_factory=dict)
