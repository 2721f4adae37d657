"""How collections are kept, and what a change that breaks off leaves behind."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from swath.flow.execution import Status
from swath.flow.items import digest_object, digest_text
from swath.operations import collections as operations
from swath.operations.collections import Method
from swath.operations.context import Context, User
from swath.settings import Settings
from swath.store import collections, executions, retention, spool, users
from swath.store.database import Connection, Database
from swath.store.schema import items, snapshots
from swath.store.spool import Prepared, Spool
from swath.store.vault import Vault

ANN = User("ann", "ann", False)


@pytest.fixture
async def context(database: Database, tmp_path: Path) -> Context:
    values = {"id": "ann", "name": "ann", "admin": False, "created_at": 0}
    await database.write(users.add_user, values)
    settings = Settings(data_dir=tmp_path)
    return Context(settings=settings, database=database, vault=Vault(["k"]), objects=None, engine=None)


def fill(folder: Path, values: list[str], kind: type[Spool] = Spool) -> Spool:
    filled = kind(folder)
    filled.kind = "text"
    for value in values:
        filled.add(digest_text(value), value)
    filled.finish()
    return filled


async def create(context: Context, values: list[str]) -> str:
    with fill(context.settings.data_dir, values) as given:
        return (await operations.create(context, ANN, "ids", None, given)).id


async def change(context: Context, collection_id: str, method: Method, values: list[str]) -> int:
    with fill(context.settings.data_dir, values) as given:
        return (await operations.change(context, ANN, collection_id, method, given)).count


async def read(context: Context, collection_id: str) -> list[str]:
    async with operations.read_all(context, ANN, collection_id) as (view, slices):
        found = [value async for some in slices for value in some]
    assert view.count == len(found)
    return found


def count_rows(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(items)).scalar_one())


def number_of(connection: Connection, collection_id: str) -> tuple[int, int]:
    row = collections.find(connection, collection_id)
    assert row is not None
    return row.number, row.version


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "replace"]), st.lists(st.sampled_from("abcdefgh"), min_size=1)
    ),
    max_size=6,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps)
async def test_a_collection_is_an_ordered_set(
    context: Context, steps: list[tuple[Method, list[str]]]
) -> None:
    """Any sequence of changes gives what it gives to a plain list without doubles, and no dead row stays."""
    collection_id = await create(context, [])
    model: list[str] = []
    for method, values in steps:
        if method == "replace":
            model = []
        if method == "remove":
            model = [value for value in model if value not in values]
        else:
            model += [value for value in dict.fromkeys(values) if value not in model]
        assert await change(context, collection_id, method, values) == len(model)
        assert await read(context, collection_id) == model
    await operations.delete(context, ANN, collection_id)
    assert await context.database.read(count_rows) == 0


async def test_many_items_keep_their_order(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items go through groups and slices sorted by digest, and come out in the order they were given."""
    monkeypatch.setattr(spool, "GROUP", 700)
    monkeypatch.setattr(spool, "SLICE", 90)
    values = [str(n) for n in range(5_000)]
    doubled = [*values, *reversed(values)]
    collection_id = await create(context, doubled)
    assert await read(context, collection_id) == values
    assert await change(context, collection_id, "remove", values[::2]) == 2_500
    assert await read(context, collection_id) == values[1::2]


class BreakingSpool(Spool):
    """A spool that breaks off after its first slice, as a process does that is killed."""

    def slices(self) -> Iterator[list[Prepared]]:
        yield next(super().slices())
        raise ConnectionResetError("killed")


async def break_off(context: Context, collection_id: str, method: Method, values: list[str]) -> None:
    with fill(context.settings.data_dir, values, BreakingSpool) as given, pytest.raises(ConnectionResetError):
        await operations.change(context, ANN, collection_id, method, given)


@pytest.mark.parametrize("method", ["add", "remove", "replace"])
async def test_a_change_that_breaks_off_changes_nothing(
    context: Context, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers never see half of a change, and the next change starts from what was true before."""
    monkeypatch.setattr(spool, "SLICE", 3)
    monkeypatch.setattr(collections, "SWEEP", 3)
    before = list("abcdefgh")
    collection_id = await create(context, before)
    await break_off(context, collection_id, method, list("hgfaxyz"))
    assert await read(context, collection_id) == before
    assert await change(context, collection_id, "add", ["x", "a"]) == 9
    assert await read(context, collection_id) == [*before, "x"]
    assert await context.database.read(count_rows) == 9


async def test_a_collection_whose_making_breaks_off_is_never_seen(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client got no id, so nothing may be left: not in lists, not on disk after the next sweep."""
    monkeypatch.setattr(spool, "SLICE", 3)
    given = fill(context.settings.data_dir, list("abcdefgh"), BreakingSpool)
    with given, pytest.raises(ConnectionResetError):
        await operations.create(context, ANN, "half", None, given)
    assert (await operations.list_for(context, ANN, limit=10, cursor=None)).objects == []
    assert await context.database.read(count_rows) == 3
    await operations.sweep(context)
    assert await context.database.read(count_rows) == 0


async def test_a_reader_sees_one_moment(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in the middle of a long read does not reach it."""
    monkeypatch.setattr(operations, "SLICE", 2)
    collection_id = await create(context, list("abcdef"))
    async with operations.read_all(context, ANN, collection_id) as (_, slices):
        found = await anext(slices)
        await change(context, collection_id, "replace", ["z"])
        found += [value async for some in slices for value in some]
    assert found == list("abcdef")
    assert await read(context, collection_id) == ["z"]


async def test_an_execution_that_waits_keeps_what_it_saw(context: Context) -> None:
    """Pinned rows outlive changes and even the collection, until their copy is made."""
    collection_id = await create(context, list("abc"))
    number, version = await context.database.read(number_of, collection_id)
    await context.database.write(collections.pin, number, version)
    await change(context, collection_id, "remove", ["b"])
    await change(context, collection_id, "replace", ["z"])

    def pinned(connection: Connection) -> list[str]:
        return [value for _, value in collections.read_slice(connection, number, version, -1, 10)]

    assert await context.database.read(pinned) == list("abc")
    await operations.delete(context, ANN, collection_id)
    assert await context.database.read(pinned) == list("abc")
    assert await context.database.read(collections.find_snapshot, number, version) is None
    await context.database.write(collections.set_snapshot, number, version, "inputs/1/1.items")
    assert await context.database.read(collections.find_snapshot, number, version) == "inputs/1/1.items"
    await operations.sweep(context)
    assert await context.database.read(count_rows) == 0


async def test_what_ends_before_its_copy_is_made_lets_go(context: Context) -> None:
    """At once, by its end; but not of what another one waits for as well."""
    collection_id = await create(context, list("abc"))
    number, version = await context.database.read(number_of, collection_id)

    def queue_two(connection: Connection) -> None:
        for name in ("one", "other"):
            usual = {
                "definition": "{}",
                "parameters": "{}",
                "created_at": 0,
                "items_total": 3,
                "shard_size": 3,
            }
            executions.add(connection, {"id": name, "owner_id": "ann", "workflow_id": "w"} | usual)
            collections.pin(connection, number, version)
            retention.use(connection, name, number, version)

    def is_pinned(connection: Connection) -> bool:
        return connection.execute(snapshots.select()).first() is not None

    await context.database.write(queue_two)
    for name, left in (("one", True), ("other", False)):
        told = {"status": Status.FAILED, "error": "It cannot begin.", "warnings": [], "rows": 0, "files": []}
        await context.database.write(executions.end, name, **told, now=1)
        assert await context.database.read(is_pinned) is left
    await change(context, collection_id, "replace", ["z"])
    assert await context.database.read(count_rows) == 1


async def test_removed_rows_go_once_nobody_waits(context: Context) -> None:
    """A list that is replaced every day does not grow."""
    collection_id = await create(context, list("abc"))
    number, version = await context.database.read(number_of, collection_id)
    await context.database.write(collections.pin, number, version)
    await change(context, collection_id, "replace", list("def"))
    assert await context.database.read(count_rows) == 6
    await context.database.write(collections.unpin, number, version)
    await change(context, collection_id, "replace", list("ghi"))
    assert await context.database.read(count_rows) == 3


async def test_concurrent_changes_are_all_counted(context: Context) -> None:
    """Changes to one collection wait for each other; none is lost."""
    collection_id = await create(context, [])
    batches = [[f"{n}-{i}" for i in range(20)] for n in range(10)]
    await asyncio.gather(*(change(context, collection_id, "add", batch) for batch in batches))
    assert sorted(await read(context, collection_id)) == sorted(value for batch in batches for value in batch)


def test_objects_are_equal_by_value() -> None:
    """Neither the order of keys nor the spelling of a number makes another item; a type does."""
    one = digest_object({"a": 1, "b": [Decimal("1.50")]})
    assert one == digest_object({"b": [Decimal("1.5")], "a": Decimal("1.0")})
    assert one == digest_object({"b": [Decimal("15e-1")], "a": Decimal("0.1e1")})
    assert digest_object({"a": 100}) == digest_object({"a": Decimal("1e2")})
    assert digest_object({"a": Decimal("0.0")}) == digest_object({"a": 0})
    assert digest_object({"a": 1}) != digest_object({"a": "1"})
    assert digest_object({"a": 1}) != digest_object({"a": True})
    assert digest_object({"a": Decimal("1e400")}) != digest_object({"a": Decimal("1e401")})


WORDS = ["Müller", "MÜLLER", "muller", "100 %", "1000", "a_b", "aab", "ÉTÉ", "été", "x"]


HITS = {
    "mül": ["Müller", "MÜLLER"],
    "ÜLL": ["Müller", "MÜLLER"],
    "MULL": ["muller"],
    "0 %": ["100 %"],
    "_": ["a_b"],
    "été": ["ÉTÉ", "été"],
    "100": ["100 %", "1000"],
    "y": [],
}


async def test_a_search_finds_a_text_whatever_its_case(context: Context) -> None:
    """Letters of any language, and what has a meaning in SQL is only itself."""
    collection_id = await create(context, WORDS)
    found = {}
    for text in HITS:
        _, found[text], _ = await operations.search(context, ANN, collection_id, text, limit=10, cursor=None)
    assert found == HITS


async def test_a_search_goes_on_where_it_ended(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of hits, over the parts that are looked through, each hit once; removed items are not found."""
    monkeypatch.setattr(operations, "SEARCHED", 7)
    collection_id = await create(context, [f"item {n}" for n in range(100)])
    await change(context, collection_id, "remove", ["item 13"])
    found, cursor, pages = list[str](), None, 0
    while pages == 0 or cursor is not None:
        _, some, cursor = await operations.search(context, ANN, collection_id, "3", limit=4, cursor=cursor)
        found, pages = found + some, pages + 1
    assert found == [f"item {n}" for n in range(100) if "3" in str(n) and n != 13]
    assert pages == 5
