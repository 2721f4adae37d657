"""An execution that was begun under the first released schema is finished under the newest."""

import contextlib
import sqlite3
from pathlib import Path

from server import Server, define_posts, wait_until

from swath.demo.upstream import Behaviour, Upstream
from swath.store.database import SqliteDatabase, migrate

USERS = [str(1000 + n) for n in range(40)]
FIRST = "0001"


async def put_back_to_first_schema(folder: Path) -> None:
    """Replace the database by one of the first schema that holds the same, as far as it can."""
    old, new = folder / "first.db", folder / "swath.db"
    database = SqliteDatabase(old)
    migrate(database, FIRST)
    await database.close()
    with contextlib.closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS newest", (str(new),))
        tables = connection.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        for (table,) in tables:
            if table == "alembic_version":
                continue
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            listed = ", ".join(f'"{column}"' for column in columns)
            connection.execute(f"INSERT INTO main.{table} ({listed}) SELECT {listed} FROM newest.{table}")
        connection.commit()
        connection.execute("DETACH newest")
    for path in (old, new):
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
    old.replace(new)


async def test_an_unfinished_execution_of_the_first_schema_is_finished(
    tmp_path: Path, upstream: Upstream
) -> None:
    """Stopped in its midst, upgraded by the next start, it gives the files of a calm run."""
    with Server(tmp_path / "data") as server:
        defined = define_posts(server, upstream.url, USERS)
        calm = server.download(server.wait(server.trigger(defined["workflow"])))
        upstream.behaviour = Behaviour(delay=0.1, hiccup_every=0, limit=None)
        execution_id = server.trigger(defined["workflow"])
        wait_until(lambda: server.execution(execution_id)["counters"]["pages"] >= 30, "30 pages")
        server.kill()
        await put_back_to_first_schema(server.folder)
        server.start()
        execution = server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == calm
