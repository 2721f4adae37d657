"""What a doctor asks the database: whether it is whole, and what stands in it that should not."""

from collections.abc import Sequence
from typing import Any

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Row, func, select, text
from sqlalchemy.exc import SQLAlchemyError as DatabaseTrouble

from swath.flow.execution import TERMINAL
from swath.store.database import MIGRATIONS
from swath.store.schema import executions, frames

__all__ = ["DatabaseTrouble", "find_damage", "find_frames", "find_revisions", "find_unfinished"]


def find_revisions(connection: Connection) -> tuple[str | None, str | None]:
    """Return the schema's revision and the one that this version of Swath needs."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    return MigrationContext.configure(connection).get_current_revision(), newest


def find_damage(connection: Connection, *, deep: bool) -> Sequence[str]:
    """Return what SQLite says of its file's damage; PostgreSQL looks after itself."""
    if connection.dialect.name != "sqlite":
        return []
    check = "PRAGMA integrity_check" if deep else "PRAGMA quick_check"
    return [str(row[0]) for row in connection.execute(text(check)) if row[0] != "ok"]


def find_frames(connection: Connection, limit: int | None) -> Sequence[Row[Any]]:
    """Return the newest frames, or all of them."""
    return connection.execute(select(frames).order_by(frames.c.number.desc()).limit(limit)).all()


def find_unfinished(connection: Connection) -> int:
    """Count the executions that have not ended."""
    ended = [str(status) for status in TERMINAL]
    query = select(func.count()).where(executions.c.status.not_in(ended))
    return int(connection.execute(query).scalar_one())
