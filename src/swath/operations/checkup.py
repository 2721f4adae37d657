"""Look at what is kept: workers, executions, secrets, files, segments; say what is wrong and what to do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from swath.engine.durable import find_lost
from swath.engine.extract import manifest_name
from swath.engine.times import now_ms
from swath.errors import Damaged
from swath.flow.segment import open_frame
from swath.settings import Settings
from swath.store import inspection, work
from swath.store.database import Database, Row
from swath.store.objects import Objects
from swath.store.vault import read_vault
from swath.store.work import Combination, Delivery, Execution, Shard, Work

#: Frames and files that are read where not all are asked for.
SAMPLE = 100
#: Things of one kind that are told one by one.
TOLD = 10
#: Claims in vain after which a shard looks stuck, and milliseconds in which one that was let in begins.
FRUITLESS, BEGINS_WITHIN = 3, 600_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to do where it is not well."""

    subject: str
    well: bool
    told: str
    advice: str = ""


async def examine(
    settings: Settings, database: Database, objects: Objects, *, deep: bool
) -> AsyncIterator[Finding]:
    """Yield findings, changing nothing."""
    unfinished = await database.read(inspection.find_unfinished)
    if database.shared:
        workers = await database.read(inspection.find_workers)
        for finding in _judge_workers(workers, settings.worker_lease, unfinished):
            yield finding
    stuck = await database.read(inspection.find_stuck, FRUITLESS, now_ms() - BEGINS_WITHIN)
    for finding in _judge_executions(unfinished, stuck, await _find_lost(settings, database)):
        yield finding
    yield _judge_secrets(settings, await database.read(inspection.find_sealed))
    limit = None if deep else SAMPLE
    async for finding in _examine_files(objects, await database.read(inspection.find_files, limit), deep):
        yield finding
    async for finding in _examine_segments(objects, await database.read(inspection.find_frames, limit)):
        yield finding
    if deep:
        yield await _examine_orphans(database, objects)


def _judge_workers(workers: Sequence[Row[Any]], lease: int, unfinished: int) -> Iterator[Finding]:
    silent = [row for row in workers if row.age > lease * 1_000]
    for row in silent[:TOLD]:
        told = f"{row.worker} was last heard of {row.age / 1_000:.0f} s ago; a lease lasts {lease} s."
        advice = "See why it died. The others take its work over; where there is none, start `swath worker`."
        yield Finding("worker", False, told, advice)
    waiting = [row for row in workers if row.waiting and row not in silent]
    for row in waiting[:TOLD]:
        advice = "See what keeps this worker from it. It goes on by itself; what it works on waits meanwhile."
        yield Finding("worker", False, f"{row.worker}: {row.waiting}", advice)
    living = len(workers) - len(silent)
    idle = not living and unfinished
    advice = "Start `swath worker`, or `swath serve` without --no-worker." if idle else ""
    yield Finding("workers", not idle, f"{living} live.", advice)


async def _find_lost(settings: Settings, database: Database) -> Set[Work]:
    """Return what the durable engine has lost."""
    expected = await _find_expected(database)
    missing = await asyncio.to_thread(find_lost, settings, expected) if expected else expected
    return missing & await _find_expected(database)  # what ended while we looked is not lost


async def _find_expected(database: Database) -> Set[Work]:
    now = now_ms()
    return await database.read(work.find_expected, now, now)


def _judge_executions(unfinished: int, stuck: Sequence[Row[Any]], lost: Set[Work]) -> Iterator[Finding]:
    for row in stuck[:TOLD]:
        if row.shard is None:
            told = "was let in long ago and has not begun."
            advice = "See the log of the workers. Cancel it and trigger it again if nothing comes of it."
        else:
            told = f"shard {row.shard} was taken {row.fruitless} times without getting any further."
            advice = "See the log for what its items do to a worker; it is given up before long."
        yield Finding("execution", False, f"{row.execution_id}: {told}", advice)
    told_of = sorted(Counter(map(_name_lost, lost)).items())
    for (subject, execution_id, what), count in told_of[:TOLD]:
        told = (
            f"{execution_id}: {what.format(count)} under way, and the durable engine knows nothing of that."
        )
        advice = "A worker takes it up again by itself within two minutes; see its log if none does."
        yield Finding(subject, False, told, advice)
    going_on = {each.execution_id for each in lost if isinstance(each, Execution | Shard)}
    count = len({row.execution_id for row in stuck} | going_on)
    yield Finding("executions", not count, f"{unfinished} have not ended, {count} of them are stuck.")


def _name_lost(each: Work) -> tuple[str, str, str]:
    """Return what was lost as a doctor names it: its subject, its execution, and how many are what."""
    match each:
        case Execution(id):
            return "execution", id, "it is"
        case Shard(id):
            return "execution", id, "{} of its shards are"
        case Combination(id, revision):
            return "combination", id, f"revision {revision} of its files is"
        case Delivery(id):
            return "delivery", id, "{} of its deliveries are"


def _judge_secrets(settings: Settings, sealed: Sequence[tuple[str, str]]) -> Finding:
    """Try the keys on what was sealed; neither is ever told."""
    vault = read_vault(settings)
    if vault is None:
        advice = "Set SWATH_SECRET_KEY, or put secret.key back into the data folder." if sealed else ""
        return Finding("secrets", not sealed, f"There is no key, and {len(sealed)} are sealed.", advice)
    shut = [where for where, text in sealed if not vault.fits(text)]
    if not shut:
        return Finding("secrets", True, f"All {len(sealed)} can be opened.")
    told = f"{len(shut)} of {len(sealed)} cannot be opened with the key that is set, such as of {shut[0]}."
    advice = (
        "Set SWATH_SECRET_KEY to the key that sealed them, behind the newest one and a comma; "
        "if it is lost, enter these secrets anew."
    )
    return Finding("secrets", False, told, advice)


async def _examine_files(objects: Objects, files: Sequence[Row[Any]], deep: bool) -> AsyncIterator[Finding]:
    """See that result files are as their manifest says: by size, and where all is read, by digest."""
    wrong = 0
    for row in files:
        if problem := await _judge_file(objects, row, deep):
            wrong += 1
            told = f"{row.name} of execution {row.execution_id}: {problem}"
            if wrong <= TOLD:
                advice = f"Make it anew: POST /workflows/executions/{row.execution_id}/combine"
                yield Finding("file", False, told, advice)
    yield Finding("files", not wrong, f"{len(files)} were looked at, {wrong} are not as they were written.")


async def _judge_file(objects: Objects, row: Row[Any], deep: bool) -> str | None:
    try:
        size = await objects.find_size(row.object)
        if size != row.bytes:
            return f"it has {size} bytes, and had {row.bytes} when it was written."
        await objects.find_size(manifest_name(row.execution_id, row.revision))
        if deep:
            digest = sha256()
            async for chunk in objects.stream(row.object, 0, size):
                digest.update(chunk)
            if digest.hexdigest() != row.sha256:
                return "its bytes are not those that were written."
    except Damaged as damage:
        return str(damage)
    return None


async def _examine_segments(objects: Objects, frames: Sequence[Row[Any]]) -> AsyncIterator[Finding]:
    """Read frames by their checksums."""
    damaged = 0
    for row in frames:
        try:
            for _ in open_frame(objects.read_range(row.object, row.offset, row.length)):
                pass
        except Damaged as error:
            damaged += 1
            told = f"Execution {row.execution_id}, shard {row.shard}: {error}"
            advice = "Retry the items of this shard, or restore the object from a backup."
            if damaged <= TOLD:
                yield Finding("segment", False, told, advice)
    yield Finding("segments", not damaged, f"{len(frames)} frames were read, {damaged} are damaged.")


async def _examine_orphans(database: Database, objects: Objects) -> Finding:
    """Count objects of executions that are unknown or have ended, and that nothing refers to."""
    orphans: list[str] = []
    for kind in ("segments", "parts", "results"):
        names: dict[str, set[str]] = {}
        for name in await objects.names(kind):
            names.setdefault(name.split("/")[1], set()).add(name)
        for execution_id, found in names.items():
            orphans += found - await database.read(inspection.find_wanted, execution_id, kind, found)
    if not orphans:
        return Finding("orphans", True, "There is no object that nothing refers to.")
    told = f"{len(orphans)} objects that nothing refers to, such as {min(orphans)}."
    return Finding("orphans", True, told, "They harm nothing and take room; they can be deleted.")
