"""The inputs of items on the event loop: read beside it, and waited for while the storage is away."""

import asyncio
from collections.abc import Iterator
from io import BytesIO
from typing import cast

import pytest
from structlog.testing import capture_logs
from tests.s3 import S3

from swath.engine.blocks import BLOCK, Elements, snapshot_name, write_blocks
from swath.engine.inputs import Inputs
from swath.engine.outages import Outages
from swath.errors import ItemFailed
from swath.flow.definition import Axis, Batch, Definition, Endpoint, Options, Source, Workflow
from swath.flow.plan import Plan
from swath.store.objects import Objects

COUNT = 3 * BLOCK + 5


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
async def objects(s3: S3) -> Objects:
    """Two lists as they are copied when an execution begins."""
    store = Objects(s3.environment["SWATH_STORAGE_URL"])
    for number in (1, 2):
        out = BytesIO()
        write_blocks((f"{number}-{position}" for position in range(COUNT)), out)
        await store.put(snapshot_name(number, 1), out.getvalue())
    return store


def define(*axes: Axis) -> Definition:
    return Definition(
        endpoint=Endpoint(name="e", url="http://h/{{a}}"),
        workflow=Workflow(name="w", endpoint_id=""),
        options=Options(),
        axes=axes,
    )


def inputs_of(objects: Objects, *axes: Axis, kept: int = 8) -> Inputs:
    return Inputs(objects, define(*axes), outlast=Outages().outlast, kept=kept)


def stored(number: int, count: int = COUNT, batch: Batch | None = None) -> Axis:
    source = Source(variable="ab"[number - 1])
    return Axis(count=count, sources=(source,), snapshot=(number, 1), batch=batch, items=COUNT)


async def test_inputs_are_those_of_the_plan(objects: Objects) -> None:
    """Whoever asks side by side gets what a worker process would read one after another."""
    definition = define(stored(1), stored(2))
    plan = Plan(definition.axes, "product", {}, Elements(objects))
    inputs = inputs_of(objects, *definition.axes)
    some = [0, 1, BLOCK, COUNT - 1, COUNT, COUNT * BLOCK + 7, COUNT * COUNT - 1]
    found = await asyncio.gather(*(inputs.of(item) for item in some))
    assert found == await asyncio.to_thread(lambda: [plan.inputs(item) for item in some])


async def test_an_item_may_need_more_blocks_than_are_kept(objects: Objects) -> None:
    """A batch of a whole list is one item."""
    inputs = inputs_of(objects, stored(1, 1, Batch(size=COUNT, separator=",")), kept=1)
    (values,) = (await inputs.of(0)).values()
    assert values == ",".join(f"1-{position}" for position in range(COUNT))


async def test_who_needs_the_storage_waits_for_it_and_nobody_else_does(objects: Objects, s3: S3) -> None:
    """No item fails, the loop is free meanwhile, and what is at hand can be had."""
    near, far = inputs_of(objects, stored(1)), inputs_of(objects, stored(2))
    assert await near.of(3) == {"a": "1-3"}
    s3.be("away")
    with capture_logs() as logs:
        waiting = [asyncio.create_task(far.of(item)) for item in (5, 6, BLOCK)]
        while not logs:
            assert await near.of(4) == {"a": "1-4"}
            await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    s3.be("well")
    assert await asyncio.gather(*waiting) == [{"b": "2-5"}, {"b": "2-6"}, {"b": f"2-{BLOCK}"}]


async def test_a_storage_that_refuses_is_waited_for_too(objects: Objects, s3: S3) -> None:
    """503 is no answer."""
    inputs = inputs_of(objects, stored(1))
    s3.be("refuse")
    with capture_logs() as logs:
        waiting = asyncio.create_task(inputs.of(COUNT - 1))
        while not logs:  # noqa: ASYNC110 - the log is all that tells of it
            await asyncio.sleep(0.01)
    s3.be("well")
    assert await waiting == {"a": f"1-{COUNT - 1}"}


async def test_a_lost_copy_is_told(objects: Objects) -> None:
    """It is no outage: waiting brings nothing back."""
    await objects.delete([snapshot_name(1, 1)])
    with pytest.raises(ItemFailed) as caught:
        await inputs_of(objects, stored(1)).of(0)
    assert cast(ItemFailed, caught.value).code == "input_damaged"


async def test_nobody_reads_on_after_the_end(objects: Objects, s3: S3) -> None:
    """An execution that is held while the storage is away leaves nothing behind."""
    inputs = inputs_of(objects, stored(1))
    s3.be("away")
    waiting = asyncio.create_task(inputs.of(0))
    await asyncio.sleep(0)
    inputs.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    s3.be("well")
