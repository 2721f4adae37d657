"""Where SQL runs: one SQLite file for one process, or PostgreSQL for many."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Row, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from swath.store.postgres import PostgresDatabase
from swath.store.sqlite import SqliteDatabase, sqlite_module
from swath.store.transactions import Database, Stream

__all__ = [
    "Connection",
    "Database",
    "PostgresDatabase",
    "Row",
    "SqliteDatabase",
    "Stream",
    "answers",
    "migrate",
    "open_database",
    "sqlite_module",
    "upsert",
]

MIGRATIONS = Path(__file__).parent / "migrations"
#: The advisory lock that whoever migrates holds: of many processes that start at once one does it.
MIGRATING = 0x5377617468
#: A migration is one transaction of many steps: on a machine that has much to do it may rest between two of
#: them for longer than any other may.
UNHURRIED = "SET LOCAL idle_in_transaction_session_timeout = '5min'"


def open_database(place: Path | str) -> Database:
    """Open the file, or the PostgreSQL database of a URL, migrated to the newest schema."""
    database = PostgresDatabase(place) if isinstance(place, str) else SqliteDatabase(place)
    migrate(database)
    return database


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema forward to `revision`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    def upgrade(connection: Connection) -> None:
        if database.shared:
            connection.exec_driver_sql(UNHURRIED)
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    database.write_now(upgrade)


def answers(connection: Connection) -> bool:
    """Ask the database for nothing but an answer."""
    return connection.execute(select(1)).scalar() == 1


def upsert(connection: Connection, table: Table, values: Mapping[str, Any]) -> Any:
    """Return an insert of the connected database's kind that can go on with `on_conflict_do_update`."""
    kinds: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    return kinds[connection.dialect.name](table).values(dict(values))
