"""What a user may know of the server: its version, who he is to it, and how it is set."""

from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any

from swath import __version__
from swath.flow.definition import Json
from swath.operations.context import Context, User
from swath.operations.proxies import mask_password
from swath.settings import Settings

#: What concerns whoever executes workflows; the other settings are the administrators'.
FOR_USERS = frozenset({"public_url", "direct_allowed", "proxy_rate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """A setting; the value of a secret one is never told."""

    variable: str
    meaning: str
    value: Json
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """The server as a user sees it."""

    version: str
    user: str
    admin: bool
    database: str
    settings: list[SettingView]


def describe(context: Context, user: User) -> ServerView:
    """Return the server's version and settings, and who the user is to it."""
    settings = context.settings
    shown = (field for field in fields(Settings) if user.admin or field.name in FOR_USERS)
    return ServerView(
        version=__version__,
        user=user.name,
        admin=user.admin,
        database="postgresql" if settings.database_url else "sqlite",
        settings=[_view(settings, field) for field in shown],
    )


def _view(settings: Settings, field: Field[Any]) -> SettingView:
    value = getattr(settings, field.name)
    default = field.default if field.default is not MISSING else None
    shown = mask_password(str(value)) if isinstance(value, str | Path) else value
    return SettingView(
        variable=field.metadata["variable"],
        meaning=field.metadata["meaning"],
        value=shown if field.repr else None,
        given=value != default,
    )
