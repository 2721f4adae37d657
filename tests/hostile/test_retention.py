"""What is removed after its time, what is not, and what an owner removes."""

import asyncio
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS
from tests.hostile.house import PATIENCE, Ended, House
from tests.hostile.test_control import Pages, arrived, paged
from tests.hostile.test_retry import ILLS, Hospital, again, archive, end, run
from tests.upstreams.scripted import Scripted

from swath.engine.beginning import Beginning
from swath.engine.changes import Changes
from swath.engine.inputs import freeze
from swath.engine.tasks import end as end_task
from swath.engine.times import now_ms
from swath.errors import Conflict, NotFound
from swath.flow.definition import Axis, Definition, Options, Source, VariableMapping
from swath.flow.items import digest_text
from swath.operations import collections, combinations, executions, responses, retention, rows
from swath.operations.orphans import sweep_orphans
from swath.operations.retries import Retry, retry
from swath.store import collections as store
from swath.store.objects import Objects
from swath.store.schema import frames, inputs, shards, snapshots
from swath.store.spool import Spool

DAYS = retention.DAY


async def sweep(house: House, days: float) -> None:
    """Sweep as it will be done in so many days, and again when the grace is over."""
    await retention.sweep(house.context, now_ms() + round(days * DAYS))
    await retention.sweep(house.context, now_ms() + round(days * DAYS) + retention.GRACE + 1)


async def count(house: House, table: Any, execution_id: str) -> int:
    query = table.select().where(table.c.execution_id == execution_id)
    return await house.context.database.read(lambda c: len(c.execute(query).all()))


async def objects(house: House, execution_id: str) -> Mapping[str, int]:
    """Count an execution's objects by kind."""
    kinds = ("segments", "parts", "results")
    return {kind: len(await house.context.objects.names(f"{kind}/{execution_id}")) for kind in kinds}


async def test_the_archive_goes_first_and_the_files_later(house: House, upstream: Scripted) -> None:
    """After 30 days answers, shards and engine rows; the files can still be downloaded; after 365 all."""
    ended = await run(house, Hospital(upstream, ILLS))
    known = house.context, house.user, str(ended.view["id"])
    execution_id = known[2]
    await sweep(house, 29)
    assert len(await archive(house, ended)) > 100
    before = await objects(house, execution_id)
    assert all(before.values())
    await sweep(house, 31)
    assert await objects(house, execution_id) == {"segments": 0, "parts": 0, "results": before["results"]}
    assert [await count(house, table, execution_id) for table in (frames, shards, inputs)] == [0, 0, 0]
    assert await DBOS.list_workflows_async(workflow_id_prefix=execution_id) == []
    kept = await house.end(execution_id, read=lambda file: file["sha256"])
    assert kept.view["archive_removed_at"] is not None
    assert [line["item"] for line in kept.failures] == [line["item"] for line in ended.failures]
    assert kept.files == ended.files
    for gone in (responses.open_responses(*known), rows.look(*known, None, 0, 1), again(house, ended)):
        with pytest.raises(Conflict):
            await gone
    await sweep(house, 366)
    assert sum((await objects(house, execution_id)).values()) == 0
    with pytest.raises(NotFound):
        await executions.show(*known)


async def test_a_parent_stays_for_its_retry(house: House, upstream: Scripted) -> None:
    """Its segments are the retry's as well; they go with those of the retry."""
    hospital = Hospital(upstream, ILLS)
    parent = await run(house, hospital)
    hospital.ills.clear()
    child = await again(house, parent)
    known = house.context, house.user
    with pytest.raises(Conflict) as refused:
        await retention.remove(*known, str(parent.view["id"]))
    assert str(child.view["id"]) in str(refused.value)
    assert len(await archive(house, child)) == 4 * 50
    await retention.remove(*known, str(child.view["id"]))
    await retention.remove(*known, str(parent.view["id"]))
    await sweep(house, 0)
    for ended in (parent, child):
        assert sum((await objects(house, str(ended.view["id"]))).values()) == 0
        with pytest.raises(NotFound):
            await house.show(str(ended.view["id"]))


async def test_what_runs_is_not_removed(house: House, upstream: Scripted) -> None:
    """Neither by its owner nor by time; it ends as it would have."""
    pages = Pages(upstream, 2)
    pages.hold_after = 5
    execution_id = await house.begin(*paged(upstream), inputs={"user": ["1", "2", "3"]})
    await arrived(upstream, 6)
    with pytest.raises(Conflict):
        await retention.remove(house.context, house.user, execution_id)
    await sweep(house, 1_000)
    pages.hold_after = None
    ended: Ended = await house.end(execution_id)
    assert (ended.status, len(ended.rows())) == ("succeeded", 12)


def spool(house: House, *values: str) -> Spool:
    filled = Spool(house.context.settings.data_dir)
    filled.kind = "text"
    for value in values:
        filled.add(digest_text(value), value)
    filled.finish()
    return filled


async def test_a_list_is_not_copied_for_what_was_cancelled(house: House, tmp_path: Path) -> None:
    """Told to stop amid the copying, it keeps nothing; who wants the list later has it copied whole."""
    known, context = (house.context, house.user), house.context
    with spool(house, *(f"name-{number}" for number in range(5_000))) as items:
        made = await collections.create(*known, "many", "text", items)
    row = await context.database.read(store.find, made.id)
    assert row is not None
    await context.database.write(store.pin, row.number, row.version)
    stop = threading.Event()
    stop.set()
    for each, kept in ((stop, 0), (threading.Event(), 1)):
        await freeze(context.database, context.objects, row.number, row.version, tmp_path, each)
        assert len(await context.objects.names(f"inputs/{row.number}/")) == kept
        assert os.listdir(tmp_path) == []


class Slow(Objects):
    """A storage that never comes to the end of a file."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.begun, self.left = asyncio.Event(), False

    async def put_file(self, name: str, path: Path) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left = True


async def test_a_copy_ends_with_who_waits_for_it(house: House, upstream: Scripted, tmp_path: Path) -> None:
    """As where the process ends amid it: nothing goes on behind it."""
    Pages(upstream, 1)
    execution_id = str((await house.run(*paged(upstream), inputs={"user": ["1"]})).view["id"])
    known, context = (house.context, house.user), house.context
    with spool(house, "1", "2") as items:
        made = await collections.create(*known, "slow", "text", items)
    row = await context.database.read(store.find, made.id)
    assert row is not None
    await context.database.write(store.pin, row.number, row.version)
    slow = Slow(str(tmp_path / "objects"))
    beginning = Beginning(context.database, slow, Changes(context.database), tmp_path)
    axis = Axis(count=2, sources=(Source(variable="user"),), snapshot=(row.number, row.version), items=2)
    endpoint, workflow = paged(upstream)
    definition = Definition(endpoint=endpoint, workflow=workflow, options=Options(), axes=(axis,))
    copying = asyncio.create_task(beginning.copy_inputs(execution_id, definition))
    async with asyncio.timeout(PATIENCE):
        await slow.begun.wait()
        await end_task(copying)
    assert slow.left


async def find_snapshots(house: House) -> list[Any]:
    return await house.context.database.read(lambda c: list(c.execute(snapshots.select()).all()))


async def test_copies_of_lists_go_when_no_execution_needs_them(house: House, upstream: Scripted) -> None:
    """That of the current version stays for the next execution, others go with the archives."""
    Pages(upstream, 1)
    known = house.context, house.user
    before = len(await find_snapshots(house))
    with spool(house, "1", "2") as items:
        made = await collections.create(*known, "users", "text", items)
    endpoint, workflow = paged(upstream)
    mapping = VariableMapping(target_variable_name="user", source_collection_id=made.id)
    workflow = replace(workflow, mappings=(mapping,))
    first = await house.run(endpoint, workflow)
    with spool(house, "3") as items:
        await collections.change(*known, made.id, "add", items)
    second = await house.run(endpoint, workflow)
    assert (len(first.rows()), len(second.rows())) == (4, 6)
    await sweep(house, 1)
    assert len(await find_snapshots(house)) == before + 2
    await sweep(house, 31)
    left = await find_snapshots(house)
    assert len(left) <= before + 1
    names = await house.context.objects.names("inputs")
    assert {row.object for row in left if row.object} == set(names)


async def plant(house: House, execution_id: str) -> set[str]:
    """Leave behind what a process leaves that is killed before it could name what it wrote."""
    names = {f"{kind}/{execution_id}/left-behind" for kind in ("segments", "parts", "results")}
    names |= {"inputs/1000000-1"}
    for name in names:
        await house.context.objects.put(name, b"x")
    return names


async def kept_objects(house: House) -> set[str]:
    return set(await house.context.objects.names(""))


async def test_what_nobody_names_goes_after_a_day(house: House, upstream: Scripted) -> None:
    """Not a day before, nor while a retry is at work; and of what is named nothing, also by revisions."""
    hospital = Hospital(upstream, ILLS)
    parent = await run(house, hospital)
    known = house.context, house.user, str(parent.view["id"])
    await combinations.combine(*known, lambda recipe: recipe)
    async with asyncio.timeout(PATIENCE):
        while len((await house.show(known[2]))["results"]) == len(parent.files):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await sweep_orphans(house.context, now_ms() + 2 * DAYS)  # a part that was extracted twice
    named = await kept_objects(house)
    planted = await plant(house, known[2])
    await sweep_orphans(house.context, now_ms())
    assert await kept_objects(house) == named | planted
    await sweep_orphans(house.context, now_ms() + 2 * DAYS)
    assert await kept_objects(house) == named
    again_ended = await again(house, parent)
    named = await kept_objects(house)
    await sweep_orphans(house.context, now_ms() + 2 * DAYS)
    gone = named - await kept_objects(house)
    assert {name for name in gone if not name.startswith("parts/")} == set()
    assert len(await archive(house, again_ended)) > 100


async def test_what_a_retry_works_with_stays(house: House, upstream: Scripted) -> None:
    """As long as any of those that share an execution's objects is at work, all of them stay."""
    pages = Pages(upstream, 2)
    parent = await house.run(*paged(upstream), inputs={"user": ["1", "2", "3"]})
    planted = await plant(house, str(parent.view["id"]))
    pages.hold_after = 1
    child = await retry(house.context, house.user, str(parent.view["id"]), Retry(items=(0,)))
    await sweep_orphans(house.context, now_ms() + 2 * DAYS)
    left = await kept_objects(house)
    assert {name for name in planted if not name.startswith("inputs")} <= left
    pages.hold_after = None
    await house.end(child)
    await sweep_orphans(house.context, now_ms() + 2 * DAYS)
    assert not planted & await kept_objects(house)


async def test_what_was_queued_of_a_removed_execution_holds_no_place(
    house: House, upstream: Scripted
) -> None:
    """Its shards come to a worker when it is gone: they are nothing to do, and the others go on."""
    pages = Pages(upstream, 1)
    pages.hold_after = 0
    endpoint, workflow = paged(upstream, concurrency=4)
    users = {"user": [str(number) for number in range(200)]}  # more shards than there are places
    large = await house.begin(endpoint, workflow, inputs=users)
    await arrived(upstream, 4)
    gone = await house.begin(endpoint, workflow, inputs=users)
    async with asyncio.timeout(PATIENCE):
        while not await count(house, shards, gone):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # nobody tells of it
    await executions.cancel(house.context, house.user, gone)
    await house.end(gone)
    await retention.remove(house.context, house.user, gone)
    pages.hold_after = None
    async with asyncio.timeout(PATIENCE):
        assert (await house.end(large)).status == "succeeded"


async def test_files_of_lost_answers_are_not_made_anew(house: House, upstream: Scripted) -> None:
    """The owner is told at once which segment is lost, and what to do; the files that there are stay."""
    ended = await run(house, Hospital(upstream, {}))
    known = house.context, house.user, str(ended.view["id"])
    segment, *_ = await house.context.objects.names(f"segments/{known[2]}")
    await house.context.objects.delete([segment])
    await combinations.combine(*known, lambda recipe: replace(recipe, output_aggregation_format="jsonl"))
    async with asyncio.timeout(PATIENCE):
        while not (made := await combinations.list_for(*known))[0]["completed_at"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # nobody tells of it
    assert f"{segment} is missing. Retry the items" in str(made[0]["error"])
    assert (await end(house, known[2])).files == ended.files
