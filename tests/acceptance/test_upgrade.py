"""What earlier versions have left is read, and gone on with, by the newest."""

import contextlib
import re
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import keep
import pytest
from calm import run_calmly
from gated import Gated
from server import Server, define_posts, wait_until
from test_combine import combine, files_of

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
    tmp_path: Path, upstream: Gated
) -> None:
    """Stopped in its midst, upgraded by the next start, it gives the files of a calm run."""
    with Server(tmp_path / "data") as server:
        defined = define_posts(server, upstream.url, USERS)
        calm = server.download(server.wait(server.trigger(defined["workflow"])))
        upstream.hold(60)
        execution_id = server.trigger(defined["workflow"])
        wait_until(lambda: server.execution(execution_id)["counters"]["pages"] >= 30, "30 pages")
        server.kill()
        await put_back_to_first_schema(server.folder)
        upstream.let_go()
        server.start()
        execution = server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == calm


def unpack(archive: Path, place: Path, upstream: str) -> Path:
    """Unpack a data folder whose executions ask this upstream from now on; return where it is."""
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    with contextlib.closing(sqlite3.connect(place / "data" / "swath.db")) as connection:
        connection.create_function("move", 1, lambda text: re.sub(r"http://127.0.0.1:\d+", upstream, text))
        for table in ("endpoints", "executions"):
            connection.execute(f"UPDATE {table} SET definition = move(definition)")
        connection.commit()
    return place / "data"


@pytest.mark.parametrize("archive", sorted(keep.KEPT.iterdir()), ids=lambda path: path.name)
def test_a_data_folder_of_an_earlier_version_is_gone_on_with(
    archive: Path, tmp_path: Path, upstream: Gated
) -> None:
    """An execution that ended can be looked at and combined again, one that was killed is finished."""
    calm = run_calmly(tmp_path / "calm", upstream, keep.USERS)
    with Server(unpack(archive, tmp_path, upstream.url)) as server:
        unfinished, ended = server.get("/executions")["objects"]
        assert (unfinished["completed_at"], server.download(ended)) == (None, calm)
        look_at(server, ended)
        assert combine(server, ended["id"], output_aggregation_format="jsonl")["error"] is None
        lines = files_of(server, ended["id"], 1)["results.jsonl"].splitlines()
        assert len(lines) == next(each["rows"] for each in ended["results"] if each["name"] == "results.csv")
        finished = server.wait(unfinished["id"])
        assert finished["status"] == "succeeded"
        assert server.download(finished) == calm


def look_at(server: Server, execution: dict[str, Any]) -> None:
    """Read all that is stored of an execution."""
    path = f"/workflows/executions/{execution['id']}"
    for file in execution["results"]:
        collection = file["collection"]
        rows = server.get(f"{path}/rows?collection={collection}&limit=1000")["object"]
        assert (rows["total"], len(rows["rows"])) == (file["rows"], file["rows"])
    columns = {each["collection"]: each["rows"] for each in server.get(f"{path}/columns")["objects"]}
    assert columns == {file["collection"]: file["rows"] for file in execution["results"]}
    pages = server.ask("GET", f"{path}/responses").text.splitlines()
    assert len(pages) == execution["counters"]["pages"]
    items = [server.get(f"{path}/items/{item}")["object"] for item in range(len(keep.USERS))]
    assert sum(item["pages_count"] for item in items) == len(pages)
    assert server.get(f"{path}/manifest")["object"]["stop_reasons"] == {"complete": len(keep.USERS)}
