"""The inputs of an execution: collections copied once, as they were when it was triggered."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import msgspec

from swath.engine.blocks import BLOCK, snapshot_name, write_blocks
from swath.flow.definition import Json
from swath.store import collections
from swath.store.database import Connection, Database
from swath.store.objects import Objects


async def freeze(database: Database, objects: Objects, number: int, version: int, scratch: Path) -> None:
    """Copy a collection as it was at `version` into the object store, unless that has been done."""
    if await database.read(collections.find_snapshot, number, version) is not None:
        return
    with NamedTemporaryFile(dir=scratch, suffix=".items") as file:
        await asyncio.to_thread(_copy, database, number, version, file)
        file.flush()
        await objects.put_file(snapshot_name(number, version), Path(file.name))
    await database.write(collections.set_snapshot, number, version, snapshot_name(number, version))


def _copy(database: Database, number: int, version: int, out: IO[bytes]) -> None:
    with database.snapshot() as connection:
        write_blocks(_values(connection, number, version), out)


def _values(connection: Connection, number: int, version: int) -> Iterator[Json]:
    position = -1
    kind = collections.kind_of(connection, number)
    while rows := collections.read_slice(connection, number, version, position, BLOCK):
        for _, value in rows:
            yield value if kind == "text" else msgspec.json.decode(value)
        position = rows[-1][0]
