"""Users and their tokens: who is asking, and who may."""

from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from swath.engine.times import now_ms
from swath.errors import InvalidInput, NotFound, Unauthenticated
from swath.operations.context import Context, Session, User
from swath.operations.listing import Page, page_of, read_cursor
from swath.store import users
from swath.store.database import Connection, Row
from swath.store.vault import write_private

#: Milliseconds after which the use of a token is written down again.
NOTE_AFTER = 60_000
#: Milliseconds for which a token is taken as good where another process may have revoked it.
TRUSTED_FOR = 2_000
FIRST_USER = "admin"
#: The token of the settings always has this id, so that a new value takes the place of the old one.
SETTINGS_TOKEN = str(uuid5(NAMESPACE_URL, "swath:SWATH_TOKEN"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What the caller of `create_token` may say. Without `user` the token is his own."""

    name: str = ""
    user: str | None = None
    admin: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A token as it is shown; `token` itself only at its creation. Times in milliseconds."""

    id: str
    name: str
    user: str
    admin: bool
    created_at: int
    last_used_at: int | None = None
    token: str | None = None


async def authenticate(context: Context, token: str | None) -> User:
    """Return whose token this is. Raises Unauthenticated."""
    if not token:
        raise Unauthenticated("token", "Blank. Send your token in the header `Token`.")
    return await recall(context, _digest(token))


async def sign_in(context: Context, token: str) -> str:
    """Return what stands for a token where the token itself must not be kept. Raises Unauthenticated."""
    await authenticate(context, token)
    return _digest(token)


async def recall(context: Context, digest: str) -> User:
    """Return whose token has this digest. Raises Unauthenticated where it was revoked."""
    now = now_ms()
    session = context.sessions.get(digest)
    if session is None or (context.database.shared and now - session.begun_at >= TRUSTED_FOR):
        session = await _begin_session(context, digest, now)
    if now - session.noted_at >= NOTE_AFTER:
        session.noted_at = now
        await context.database.write(users.touch_token, session.token_id, now)
    return session.user


async def _begin_session(context: Context, digest: str, now: int) -> Session:
    row = await context.database.read(users.find_token, digest)
    if row is None:
        context.sessions.pop(digest, None)
        raise Unauthenticated("token", "Not a token of this server, or it was revoked.")
    session = Session(row.id, User(row.user_id, row.user, row.admin), row.last_used_at or 0, now)
    context.sessions[digest] = session
    return session


async def ensure_admin(context: Context) -> str | None:
    """See to it that an administrator can come in; return his token if one was made now.

    A token of the settings always works, and takes the place of an earlier one. Else one is made if no
    administrator has any, and kept in the data folder, readable by its owner only.
    """
    token = context.settings.token
    if token:
        await context.database.write(_set_settings_token, _digest(token))
        return None
    if await context.database.read(users.has_admin_token):
        return None
    token = token_urlsafe(32)
    write_private(context.settings.data_dir / "token", token)
    await context.database.write(_add_admin_token, "first token", _digest(token), str(uuid4()))
    return token


def _set_settings_token(connection: Connection, digest: str) -> None:
    users.delete_token(connection, SETTINGS_TOKEN)
    known = users.find_token(connection, digest)
    if known is not None:
        users.delete_token(connection, known.id)
    _add_admin_token(connection, "SWATH_TOKEN", digest, SETTINGS_TOKEN)


def _add_admin_token(connection: Connection, name: str, digest: str, token_id: str) -> None:
    now = now_ms()
    row = users.find_user(connection, FIRST_USER)
    user_id = row.id if row is not None else _add_user(connection, FIRST_USER, True)
    users.make_admin(connection, user_id)
    values = {"id": token_id, "user_id": user_id, "name": name, "digest": digest, "created_at": now}
    users.add_token(connection, values)


async def create_token(context: Context, user: User, new: NewToken) -> TokenView:
    """Make a token, shown now and never again. Administrators make them for others, new users included."""
    if not user.admin and (new.user not in (None, user.name) or new.admin):
        raise InvalidInput("user", "Only an administrator can make tokens for others or for administrators.")
    token = token_urlsafe(32)
    return await context.database.write(_create_token, user, new, token)


def _create_token(connection: Connection, user: User, new: NewToken, token: str) -> TokenView:
    name = user.name if new.user is None else new.user.strip()
    if not name:
        raise InvalidInput("user", "Blank.")
    known = users.find_user(connection, name)
    if known is not None and new.admin is not None and known.admin != new.admin:
        state = "an" if known.admin else "not an"
        raise InvalidInput("admin", f"The user {name} exists and is {state} administrator.")
    admin = bool(new.admin) if known is None else known.admin
    user_id = _add_user(connection, name, admin) if known is None else known.id
    view = TokenView(id=str(uuid4()), name=new.name, user=name, admin=admin, created_at=now_ms(), token=token)
    values = {"id": view.id, "user_id": user_id, "name": view.name, "created_at": view.created_at}
    users.add_token(connection, values | {"digest": _digest(token)})
    return view


def _add_user(connection: Connection, name: str, admin: bool) -> str:
    user_id = str(uuid4())
    users.add_user(connection, {"id": user_id, "name": name, "admin": admin, "created_at": now_ms()})
    return user_id


async def list_tokens(
    context: Context, user: User, *, of: str | None = None, limit: int, cursor: str | None
) -> Page[TokenView]:
    """Return a user's tokens, newest first; an administrator may ask for those `of` another user."""
    owner_id = user.id
    if of not in (None, user.name):
        row = await context.database.read(users.find_user, str(of)) if user.admin else None
        if row is None:
            raise NotFound("user", "No such user, or you are no administrator.")
        owner_id = row.id
    rows = await context.database.read(users.find_tokens, owner_id, read_cursor(cursor), limit + 1)
    return page_of(rows, limit, _view)


async def revoke_token(context: Context, user: User, token_id: str) -> None:
    """Make a token worthless at once. Administrators may revoke anybody's."""
    digest = await context.database.write(_revoke_token, user, token_id)
    context.sessions.pop(digest, None)


def _revoke_token(connection: Connection, user: User, token_id: str) -> str:
    row = users.find_token_by_id(connection, token_id)
    if row is None or not (user.admin or row.user_id == user.id):
        raise NotFound("id", "No token of yours has this id.")
    users.delete_token(connection, token_id)
    return str(row.digest)


def _view(row: Row[Any]) -> TokenView:
    return TokenView(
        id=row.id,
        name=row.name,
        user=row.user,
        admin=row.admin,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
