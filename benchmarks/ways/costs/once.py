"""Swath in one process, on either database: executes what it is told, and prints what that took as JSON.

Statements and transactions are those of all engines of the process, the durable engine's included.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks.processes import cpu


class Asked(msgspec.Struct, kw_only=True):
    """What to execute. `shard` is how many items make a shard; no executions: only wait for some seconds."""

    url: str
    folder: str
    database: str = ""
    executions: int = 1
    items: int = 1
    pages: int = 1
    rows: int = 20
    shard: int = 1
    #: Of the rows of a social network instead of such that differ in nothing but a number.
    varied: bool = False
    seconds: float = 0.0


async def main(asked: Asked) -> dict[str, float]:
    # Here and not above: each worker process imports this script again, and must not import the house.
    from sqlalchemy import Engine, event  # noqa: PLC0415

    from swath.bootstrap import open_house, spare_collector  # noqa: PLC0415
    from swath.settings import Settings  # noqa: PLC0415

    counts: Counter[str] = Counter()

    @event.listens_for(Engine, "after_cursor_execute")
    def count(_connection: Any, cursor: Any, statement: str, *_more: Any) -> None:
        counts["statements"] += 1
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA", "BEGIN")):
            counts["rows written"] += max(cursor.rowcount, 0)

    for ending in ("commit", "rollback"):
        event.listen(Engine, ending, lambda _connection: counts.update(["transactions"]))

    settings = Settings(
        data_dir=Path(asked.folder), database_url=asked.database, secret_key="k" if asked.database else "",
        token="t" * 20, allowed_private_hosts=("127.0.0.0/8",),
    )  # fmt: skip
    spare_collector()
    started = time.monotonic()
    async with open_house(settings) as context:
        written = await _execute(context, asked, settings.token) if asked.executions else {}
        await asyncio.sleep(asked.seconds)
        counts["seconds"] = time.monotonic() - started  # type: ignore[assignment]
    return {
        "cpu": cpu(os.getpid()),
        "written": _written(),
        **counts,
        **written,
        **_objects(settings.data_dir / "objects"),
    }


async def _execute(context: Any, asked: Asked, token: str) -> dict[str, float]:
    """Execute one after the other; return how many rows our tables have of it."""
    from swath.flow.definition import Endpoint, Paginator, Workflow  # noqa: PLC0415
    from swath.operations import endpoints, executions, users, workflows  # noqa: PLC0415

    user = await users.authenticate(context, token)
    ways = {False: f"sample/{{{{n}}}}{{{{page}}}}?rows={asked.rows}", True: "users/{{n}}/posts?limit=20"}
    url = f"{asked.url}/{ways[asked.varied]}"
    endpoint = await endpoints.create(context, user, Endpoint(name="sample", url=url))
    numbered = Paginator(type="page_number", variable="page", max_pages_per_item=asked.pages)
    paging = Paginator() if asked.varied else numbered
    recipe = Workflow(
        name="costs", endpoint_id=endpoint.id, include_inputs=False, concurrency=64, paginator=paging,
        result_collections=("results" if asked.varied else "rows",),
    )  # fmt: skip
    workflow = await workflows.create(context, user, recipe)
    for _ in range(asked.executions):
        mine = await _trigger(context, user, workflow.id, asked)
        while not (shown := await executions.show(context, user, mine))["completed_at"]:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        if not asked.varied and shown["results"][0]["rows"] != asked.items * asked.pages * asked.rows:
            raise SystemExit(f"{shown['results'][0]['rows']} rows: {shown['status']}, {shown['error']}")
    return await context.database.read(_count)


async def _trigger(context: Any, user: Any, workflow_id: str, asked: Asked) -> str:
    """Queue an execution in shards of a size of our choice."""
    from sqlalchemy import Connection, update  # noqa: PLC0415

    from swath.operations import triggers  # noqa: PLC0415
    from swath.store.schema import executions  # noqa: PLC0415

    inputs = {"n": [str(1_000_000 + number) for number in range(asked.items)]}
    values = await triggers.prepare(context, user, workflow_id, triggers.Trigger(execution_parameters=inputs))

    def insert(connection: Connection) -> None:
        triggers.insert(connection, values)
        connection.execute(
            update(executions).where(executions.c.id == values["id"]).values(shard_size=asked.shard)
        )

    await context.database.write(insert)
    context.engine.wake()
    return str(values["id"])


def _count(connection: Any) -> dict[str, float]:
    from sqlalchemy import func, select  # noqa: PLC0415

    from swath.store.schema import executions, frames, shards  # noqa: PLC0415

    checkpoints = connection.execute(select(func.count(frames.c.object.distinct()))).scalar()
    return {
        "checkpoints": checkpoints,
        "bytes": int(connection.execute(select(func.sum(executions.c.bytes))).scalar()),
        "shards": connection.execute(select(func.count()).select_from(shards)).scalar(),
        "frames": connection.execute(select(func.count()).select_from(frames)).scalar(),
    }


def _objects(folder: Path) -> dict[str, float]:
    """Return number and bytes of the objects of each kind."""
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file():
            kind = path.relative_to(folder).parts[0]
            found[f"{kind} objects"] += 1
            found[f"{kind} bytes"] += path.stat().st_size
    return dict(found)


def _written() -> int:
    """Return the bytes that this process, without its children, had the kernel write to disks."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


if __name__ == "__main__":
    told = msgspec.json.decode(sys.argv[1], type=Asked)
    print(msgspec.json.encode(uvloop.run(main(told))).decode())
