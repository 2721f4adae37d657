"""Where SQL runs."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, insert, select, update

from swath.errors import SetupError
from swath.store import users
from swath.store.database import Database, migrate, open_database
from swath.store.postgres import KEPT, MORE
from swath.store.schema import metadata
from swath.store.schema import users as users_table


def add_user(connection: Connection, name: str) -> None:
    users.add_user(connection, {"id": name, "name": name, "admin": False, "created_at": 0})


def count_up(connection: Connection) -> int:
    """Read a number, then write it back one higher: what loses updates where transactions overlap."""
    known = connection.execute(select(users_table.c.created_at)).scalar_one()
    connection.execute(update(users_table).values(created_at=known + 1))
    return int(known)


async def many_at_once(databases: list[Database]) -> list[int]:
    """Count up in each, as many at a time as there are connections: who waits for one too long gives up."""
    room = asyncio.Semaphore(KEPT + MORE)

    async def count(database: Database) -> int:
        async with room:
            return await database.write(count_up)

    return await asyncio.gather(*map(count, databases))


async def test_no_concurrent_update_is_lost(database: Database) -> None:
    """400 read-then-write transactions, many at once, each see what the one before has written."""
    await database.write(add_user, "counter")
    seen = await many_at_once([database] * 400)
    assert sorted(seen) == list(range(400))
    assert await database.read(lambda c: c.execute(select(users_table.c.created_at)).scalar()) == 400


async def test_updates_of_two_connections_are_not_lost_either(place: Path | str) -> None:
    """Two over one database wait for each other, as two processes would."""
    one, other = open_database(place), open_database(place)
    await one.write(add_user, "counter")
    seen = await many_at_once([one, other] * 50)
    assert sorted(seen) == list(range(100))
    await one.close()
    await other.close()


async def test_a_story_that_fails_leaves_nothing(database: Database) -> None:
    """A write is one transaction: all of it or none of it."""

    def half(connection: Connection) -> None:
        add_user(connection, "half")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await database.write(half)
    assert await database.read(users.find_user, "half") is None


async def test_a_write_ends_even_when_its_caller_is_cancelled(place: Path | str) -> None:
    """Whoever is cancelled while a write waits its turn cannot know, but the write is whole."""
    database = open_database(place)
    task = asyncio.create_task(database.write(add_user, "kept"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.close()
    database = open_database(place)
    assert await database.read(users.find_user, "kept") is not None
    await database.close()


async def test_a_snapshot_sees_one_moment(database: Database) -> None:
    """What is written while a snapshot is held is not seen through it."""
    with database.snapshot() as connection:
        assert users.find_user(connection, "late") is None
        await database.write(add_user, "late")
        assert users.find_user(connection, "late") is None
    with database.snapshot() as connection:
        assert users.find_user(connection, "late") is not None


async def test_a_stream_is_not_closed_under_a_read(database: Database) -> None:
    """A client that leaves in the middle of a read: the connection outlives the read, then goes."""
    entered, go_on, over = threading.Event(), threading.Event(), threading.Event()
    found: list[object] = []

    def read_slowly(connection: Connection) -> None:
        entered.set()
        go_on.wait(180)
        try:
            found.append(users.find_user(connection, "nobody"))
        finally:
            over.set()

    with database.stream() as stream:
        reading = asyncio.create_task(stream.read(read_slowly))
        await asyncio.to_thread(entered.wait, 180)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    go_on.set()
    await asyncio.to_thread(over.wait, 180)
    assert found == [None]


def test_migrations_make_what_the_metadata_says(database: Database) -> None:
    """The schema that migrations build is the one that the code speaks to."""

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert database.write_now(differences) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    """Every start migrates; data stays."""
    database.write_now(
        lambda c: c.execute(insert(users_table).values(id="a", name="a", admin=True, created_at=1))
    )
    migrate(database)
    assert database.write_now(users.find_user, "a") is not None


async def test_every_character_can_be_kept(database: Database) -> None:
    """Also those that PostgreSQL's texts do not hold."""
    for name in ("\0", "\x01", "\x010", "\x011\0", "a\0b\x01\x01", "\U0001f600"):
        await database.write(add_user, name)
        found = await database.read(users.find_user, name)
        assert found is not None
        assert found.name == name


async def test_many_processes_may_migrate_at_once(database_url: str) -> None:
    """Who starts first migrates, the others wait for it and find nothing left to do."""
    opened = await asyncio.gather(*(asyncio.to_thread(open_database, database_url) for _ in range(4)))
    for database in opened:
        assert await database.read(users.find_user, "nobody") is None
        await database.close()


def test_who_migrates_may_take_its_time(database_url: str) -> None:
    """Nobody asks for anything while the next step is loaded: no transaction is ended for that."""
    allowed: set[str] = set()

    @event.listens_for(Engine, "before_cursor_execute")
    def look(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "CREATE TABLE" in statement:
            found = connection.connection.cursor().execute("SHOW idle_in_transaction_session_timeout")
            allowed.update(found.fetchone())

    try:
        open_database(database_url)
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert allowed == {"5min"}


async def test_one_lock_holds_over_all_processes(place: Path | str) -> None:
    """A thing is locked by one at a time, and who does not want to wait is told."""
    one, other = open_database(place), open_database(place)
    other = other if one.shared else one
    async with one.locked("thing") as held:
        assert held
        async with other.locked("thing", wait=False) as also:
            assert not also
        async with other.locked("another", wait=False) as also:
            assert also
    async with other.locked("thing", wait=False) as held:
        assert held
    await one.close()
    await other.close()


def test_an_address_that_is_no_database_is_refused_in_a_sentence() -> None:
    """Whoever mistypes the setting learns what it must be, and no secret is told."""
    for url in ("mysql://u:secret@h/d", "nonsense"):
        with pytest.raises(SetupError, match="SWATH_DATABASE_URL") as refused:
            open_database(url)
        assert "secret" not in str(refused.value)
