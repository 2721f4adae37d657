"""The server and its users' tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swath.flow.definition import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenObject:
    """A token, without the token itself."""

    id: str
    name: str
    user: str
    admin: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokenObject(TokenObject):
    """A token as it is shown once."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingObject:
    """What an operator can set. Of a secret, `value` is null; `given` tells whether it was set."""

    variable: str
    meaning: str
    value: Json
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerObject:
    """The server, and who asks. An administrator is told all settings, others what concerns them."""

    version: str
    user: str
    admin: bool
    database: Literal["sqlite", "postgresql"]
    settings: list[SettingObject]
