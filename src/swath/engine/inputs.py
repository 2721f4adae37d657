"""The inputs of an execution: collections as they were when it was triggered, copied once, then read."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import msgspec

from swath.engine import blocks
from swath.engine.blocks import BLOCK, TAIL, Block, Place, Spans, snapshot_name, write_blocks
from swath.engine.outages import Outlast
from swath.errors import Damaged, ItemFailed
from swath.flow.definition import Axis, Definition, Json
from swath.flow.plan import Plan
from swath.store import collections
from swath.store.database import Connection, Database
from swath.store.disk import naming_ailments
from swath.store.objects import Objects


async def freeze(
    database: Database, objects: Objects, number: int, version: int, scratch: Path, stop: threading.Event
) -> None:
    """Copy a collection as it was at `version` into the object store, unless that has been done.

    Nothing is kept where it is told to `stop` meanwhile.
    """
    if await database.read(collections.find_snapshot, number, version) is not None:
        return
    with naming_ailments(), NamedTemporaryFile(dir=scratch, suffix=".items") as file:
        await asyncio.to_thread(_copy, database, number, version, file, stop)
        if stop.is_set():
            return
        file.flush()
        await objects.put_file(snapshot_name(number, version), Path(file.name))
    await database.write(collections.set_snapshot, number, version, snapshot_name(number, version))


def _copy(database: Database, number: int, version: int, out: IO[bytes], stop: threading.Event) -> None:
    with database.snapshot() as connection:
        write_blocks(_values(connection, number, version, stop), out)


def _values(connection: Connection, number: int, version: int, stop: threading.Event) -> Iterator[Json]:
    position = -1
    kind = collections.kind_of(connection, number)
    while rows := not stop.is_set() and collections.read_slice(connection, number, version, position, BLOCK):
        for _, value in rows:
            yield value if kind == "text" else msgspec.json.decode(value)
        position = rows[-1][0]


class Inputs:
    """What each item is asked with, for who works on the event loop.

    A block that is not at hand is read beside the loop, once for all who want it. While the storage is away
    they wait, and nobody else does. So many blocks are `kept` of each list.
    """

    def __init__(
        self,
        objects: Objects,
        definition: Definition,
        *,
        outlast: Outlast,
        kept: int = blocks.CACHED_BLOCKS,
    ) -> None:
        self._objects = objects
        self._outlast = outlast
        self._plan = Plan(
            definition.axes, definition.workflow.join, definition.constants, partial(self._draw, {})
        )
        stored = sum(axis.snapshot is not None for axis in definition.axes)
        self._most = kept * max(stored, 1)
        self._indices: dict[str, Spans] = {}
        self._blocks: OrderedDict[Place, Block] = OrderedDict()
        self._reading: dict[Place, asyncio.Task[Block]] = {}

    async def of(self, item: int) -> dict[str, Json]:
        """Return the variables of an item. Raises ItemFailed where a key or the stored list is missing."""
        held: dict[Place, Block] = {}
        plan = self._plan
        while True:
            try:
                return plan.inputs(item)
            except NotAtHand as missing:
                # Held by whoever asked: an item may need more blocks than are kept.
                held[missing.place] = await self._fetch(missing.place)
                plan = replace(self._plan, element=partial(self._draw, held))

    def close(self) -> None:
        """Read no further; nobody waits for it any more."""
        for task in self._reading.values():
            task.cancel()

    def _draw(self, held: Mapping[Place, Block], axis: Axis, position: int) -> Json:
        place, offset = blocks.place_of(axis, position)
        block = held.get(place)
        if block is None:
            if place not in self._blocks:
                raise NotAtHand(place)
            self._blocks.move_to_end(place)
            block = self._blocks[place]
        return block[offset]

    async def _fetch(self, place: Place) -> Block:
        """Read a block; goes on when whoever asked is cancelled, for others may wait for it."""
        task = self._reading.get(place)
        if task is None:
            task = self._reading[place] = asyncio.ensure_future(self._outlast(lambda: self._read(place)))
            task.add_done_callback(lambda _: self._reading.pop(place))
        try:
            return await asyncio.shield(task)
        except Damaged as damage:
            told = "The copy of the list in the storage is damaged or missing."
            raise ItemFailed("input_damaged", told, retryable=True) from damage

    async def _read(self, place: Place) -> Block:
        name, number = place
        if name not in self._indices:
            self._indices[name] = await self._read_index(name)
        packed = await self._objects.get_range(name, *self._indices[name][number])
        block = self._blocks[place] = await asyncio.to_thread(blocks.open_block, packed)
        if len(self._blocks) > self._most:
            self._blocks.popitem(last=False)
        return block

    async def _read_index(self, name: str) -> Spans:
        size = await self._objects.find_size(name)
        length = blocks.read_tail(await self._objects.get_range(name, size - TAIL, TAIL))
        return blocks.read_index(await self._objects.get_range(name, size - TAIL - length, length))


class NotAtHand(Exception):
    """A block has to be read first."""

    def __init__(self, place: Place) -> None:
        self.place = place
        super().__init__(place)
