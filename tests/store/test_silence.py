"""A PostgreSQL server that nobody hears of any more, though no connection was closed."""

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text, update
from tests.line import Line
from tests.postgres import Postgres

from swath.errors import Unavailable
from swath.store import users
from swath.store.database import PostgresDatabase, answers, open_database
from swath.store.postgres import ABANDONED_AFTER
from swath.store.schema import users as users_table
from swath.store.vigil import PATIENCE


@pytest.fixture
def line(postgres: Postgres) -> Iterator[Line]:
    with Line(postgres.port) as laid:
        yield laid


def ask(connection: Connection, statement: str) -> str:
    return str(connection.execute(text(statement)).scalar())


async def test_who_asks_it_is_not_kept_waiting(database_url: str, line: Line) -> None:
    """Reads, writes and locks are unavailable before long, and work again when it is heard of again."""
    database = open_database(line.through(database_url))
    assert await database.read(answers)
    line.cut()
    with pytest.raises(Unavailable, match="database"):
        await database.read(answers)
    with pytest.raises(Unavailable, match="database"):
        await database.write(users.find_user, "nobody")
    with pytest.raises(Unavailable, match="database"):
        async with database.locked("something"):
            pass
    line.heal()
    assert await database.read(answers)
    async with database.locked("something") as held:
        assert held
    await database.close()


async def test_a_statement_that_takes_long_is_waited_for(database_url: str) -> None:
    """The server answers others meanwhile: that is no outage. Where it once does not, another is judged."""
    database = open_database(database_url)
    answers: list[str] = []
    for _ in range(4):
        with contextlib.suppress(Unavailable):
            answers.append(await database.read(ask, f"SELECT pg_sleep({PATIENCE + 2}) IS NOT NULL"))
            break
    assert answers == ["True"]
    await database.close()


async def test_what_a_cut_off_process_has_locked_does_not_stop_the_others(
    database_url: str, line: Line
) -> None:
    """The server ends its transaction; it learns that this came to nothing, and can make it again."""
    near, far = open_database(database_url), open_database(line.through(database_url))
    near.write_now(users.add_user, {"id": "ann", "name": "ann", "admin": False, "created_at": 0})

    def change(connection: Connection, to: int) -> None:
        connection.execute(update(users_table).values(created_at=to))

    def change_and_be_cut_off(connection: Connection) -> None:
        change(connection, 1)
        line.cut()
        change(connection, 2)

    with pytest.raises(Unavailable, match="database"):
        await far.write(change_and_be_cut_off)
    await near.write(change, 3)
    assert await near.read(ask, "SELECT created_at FROM users") == "3"
    line.heal()
    await far.write(change, 4)
    assert await near.read(ask, "SELECT created_at FROM users") == "4"
    await near.close()
    await far.close()


async def test_what_the_server_is_asked_for(database_url: str) -> None:
    """A transaction that locks nothing may be read slowly; what the URL asks for holds, too."""
    database = PostgresDatabase(f"{database_url}?options=-c%20statement_timeout%3D7s")
    timeout = "SHOW idle_in_transaction_session_timeout"
    assert await database.write(ask, timeout) == f"{ABANDONED_AFTER}s"
    assert await database.read(ask, "SHOW statement_timeout") == "7s"
    with database.snapshot() as connection:
        assert ask(connection, timeout) == "0"
    await database.close()
