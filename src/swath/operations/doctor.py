"""Find what is wrong with an installation: its disk, database and storage, and all that is kept there."""

import shutil
from collections.abc import AsyncIterator
from uuid import uuid4

from swath.errors import SwathError
from swath.operations import checkup
from swath.operations.checkup import Finding
from swath.settings import Settings
from swath.store import inspection
from swath.store.database import Database, PostgresDatabase, SqliteDatabase
from swath.store.objects import Objects

#: Bytes of a disk that should be free.
FREE = 1 << 30


async def examine(settings: Settings, *, deep: bool) -> AsyncIterator[Finding]:
    """Yield findings, changing nothing; a server may be running meanwhile."""
    yield _examine_disk(settings)
    if not settings.database_url and not (settings.data_dir / "swath.db").exists():
        yield Finding(
            "database", False, f"There is none in {settings.data_dir}.", "Start `swath serve` once."
        )
        return
    database: Database = (
        PostgresDatabase(settings.database_url)
        if settings.database_url
        else SqliteDatabase(settings.data_dir / "swath.db")
    )
    try:
        async for finding in _examine_contents(settings, database, deep):
            yield finding
    except (SwathError, inspection.DatabaseTrouble) as error:
        yield Finding("database", False, str(error), "See that it runs and that its address is right.")
    finally:
        await database.close()


def _examine_disk(settings: Settings) -> Finding:
    if not settings.data_dir.is_dir():
        advice = "Name the right one by --data-dir, or start `swath serve` once."
        return Finding("disk", False, f"There is no folder {settings.data_dir}.", advice)
    free = shutil.disk_usage(settings.data_dir).free
    advice = "Make room, or lower SWATH_KEEP_DAYS: executions wait when the disk is full."
    return Finding("disk", free >= FREE, f"{free >> 20} MB are free.", "" if free >= FREE else advice)


async def _examine_contents(settings: Settings, database: Database, deep: bool) -> AsyncIterator[Finding]:
    has, needs = await database.read(inspection.find_revisions)
    advice = "" if has == needs else "Start the newest version of Swath on it once: that brings it forward."
    yield Finding("schema", has == needs, f"It is at revision {has}; this version needs {needs}.", advice)
    damage = await database.read(lambda connection: inspection.find_damage(connection, deep=deep))
    advice = "Stop the server and restore the database from a backup." if damage else ""
    yield Finding("database", not damage, "; ".join(damage) or "It is whole.", advice)
    objects = Objects(settings.storage_url or str(settings.data_dir / "objects"))
    yield await _examine_storage(objects)
    if has == needs:
        async for finding in checkup.examine(settings, database, objects, deep=deep):
            yield finding


async def _examine_storage(objects: Objects) -> Finding:
    name, data = f"doctor/{uuid4().hex}", b"well"
    try:
        await objects.put(name, data)
        well = await objects.get(name) == data
        await objects.delete([name])
    except Exception as error:
        advice = "See that the storage runs, and that its address and its credentials are right."
        return Finding("storage", False, f"It cannot be used: {error}", advice)
    return Finding("storage", well, "It can be written, read and deleted.")
