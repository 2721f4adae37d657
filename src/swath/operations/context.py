"""What every operation works with, and for whom."""

from dataclasses import dataclass, field
from typing import Any

from swath.engine.times import Clock
from swath.operations.looks import Looks
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
    """A token that was used: whose it is, and when that was last written down and read, in milliseconds."""

    token_id: str
    user: User
    noted_at: int
    begun_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of the house, and what this process remembers between two requests."""

    settings: Settings
    database: Database
    vault: Vault
    objects: Any
    engine: Any
    #: What schedules go by.
    clock: Clock = field(default_factory=Clock)
    #: By the digest of the token.
    sessions: dict[str, Session] = field(default_factory=dict)
    looks: Looks = field(default_factory=Looks)
