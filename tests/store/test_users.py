"""Users and their tokens."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from swath.errors import Unauthenticated
from swath.operations.context import Context
from swath.operations.users import (
    NewToken,
    authenticate,
    create_token,
    ensure_admin,
    list_tokens,
    revoke_token,
)
from swath.settings import Settings
from swath.store import users
from swath.store.database import Database
from swath.store.schema import metadata
from swath.store.vault import Vault


def context_of(database: Database, settings: Settings) -> Context:
    return Context(settings=settings, database=database, vault=Vault(["k"]), objects=None, engine=None)


@pytest.fixture
async def context(database: Database, tmp_path: Path) -> Context:
    return context_of(database, Settings(data_dir=tmp_path, token="first"))


async def test_the_first_token_is_made_once_and_kept_for_its_owner(
    database: Database, tmp_path: Path
) -> None:
    """A new server makes an administrator's token, and only then."""
    context = context_of(database, Settings(data_dir=tmp_path))
    token = await ensure_admin(context)
    kept = tmp_path / "token"
    assert token is not None
    assert kept.read_text().strip() == token
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (await authenticate(context, token)).admin
    assert await ensure_admin(context) is None


async def test_a_token_of_the_settings_replaces_the_one_before(database: Database, tmp_path: Path) -> None:
    """An operator who changes SWATH_TOKEN has locked the old one out."""
    for token in ("one", "two"):
        context = context_of(database, Settings(data_dir=tmp_path, token=token))
        assert await ensure_admin(context) is None
        assert (await authenticate(context, token)).name == "admin"
    with pytest.raises(Unauthenticated):
        await authenticate(context, "one")
    assert not (tmp_path / "token").exists()


async def test_the_token_itself_is_not_kept(context: Context, database: Database) -> None:
    """Whoever reads the database file learns no token."""
    await ensure_admin(context)
    admin = await authenticate(context, "first")
    made = await create_token(context, admin, NewToken(name="x"))
    assert made.token is not None
    assert made.token not in dump(database)
    assert len(made.token) >= 40


def dump(database: Database) -> str:
    with database.snapshot() as connection:
        return str([connection.execute(select(table)).all() for table in metadata.sorted_tables])


async def test_a_revoked_token_is_worthless_at_once(context: Context) -> None:
    """Also where it was used a moment ago and is remembered."""
    await ensure_admin(context)
    admin = await authenticate(context, "first")
    made = await create_token(context, admin, NewToken(name="x", user="ann"))
    ann = await authenticate(context, made.token)
    await revoke_token(context, ann, made.id)
    with pytest.raises(Unauthenticated):
        await authenticate(context, made.token)


async def test_the_last_use_is_written_at_most_once_a_minute(context: Context) -> None:
    """Reading must not cost a write each time."""
    await ensure_admin(context)
    admin = await authenticate(context, "first")
    first = (await list_tokens(context, admin, limit=10, cursor=None)).objects[0].last_used_at
    assert first is not None
    await authenticate(context, "first")
    assert (await list_tokens(context, admin, limit=10, cursor=None)).objects[0].last_used_at == first
    session = next(iter(context.sessions.values()))
    session.noted_at -= 60_000
    await context.database.write(users.touch_token, session.token_id, 0)
    await authenticate(context, "first")
    assert (await list_tokens(context, admin, limit=10, cursor=None)).objects[0].last_used_at


async def test_a_session_is_not_shared_between_settings(context: Context) -> None:
    """An unknown token stays unknown however often it is tried, and is not remembered."""
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await authenticate(replace(context), "guess")
    assert context.sessions == {}
