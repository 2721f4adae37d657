"""What files were made of: which blocks of which objects hold a table's rows; to write them and to look.

    section of table 0 | section of table 1 | ... | header | length of the header

A section lists a table's parts in the order of their shards, each with the layout of its columns. Few layouts
are shared by many parts, so that an index stays small, and one table can be read without the others.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from swath.flow.files.output import Source
from swath.flow.rows.fragments import Block, Part
from swath.flow.rows.names import CollectionPath, ColumnPath
from swath.flow.table import Table, Union

LENGTH = struct.Struct("<Q")

#: Reads a range of the index: offset, length.
ReadIndex = Callable[[int, int], bytes]
#: Reads a range of an object: name, offset, length.
ReadObject = Callable[[str, int, int], bytes]


class _Layout(msgspec.Struct, array_like=True, frozen=True):
    """A part's columns and keys, as places among those of its section."""

    own: list[int]
    ancestors: list[int]
    own_keys: list[int]
    ancestor_keys: list[int]


class _Known(msgspec.Struct, array_like=True, frozen=True):
    """A part: the number of its object, the number of its layout, and its blocks."""

    object: int
    layout: int
    rows: int
    blocks: list[Block]


class _Names(msgspec.Struct, array_like=True):
    """The columns and keys of a section, which its layouts count."""

    columns: list[ColumnPath]
    keys: list[str]
    layouts: list[_Layout]


class _Header(msgspec.Struct):
    typed: bool
    tables: list[Table]
    objects: list[str]
    #: Of each table: where its names are, how long they are, and how long the parts behind them.
    spans: list[tuple[int, int, int]]
    #: Not said by the indexes of earlier versions.
    guarded: bool = False


class _Section:
    """A table's section while parts are added."""

    def __init__(self) -> None:
        self._columns: dict[ColumnPath, int] = {}
        self._keys: dict[str, int] = {}
        self._layouts: dict[bytes, int] = {}
        self._parts = bytearray()
        self._count = 0

    def add(self, part: Part, number: int) -> None:
        layout = msgspec.msgpack.encode(
            _Layout(
                _number(part.own, self._columns),
                _number(part.ancestors, self._columns),
                _number(part.own_keys, self._keys),
                _number(part.ancestor_keys, self._keys),
            )
        )
        place = self._layouts.setdefault(layout, len(self._layouts))
        self._parts += msgspec.msgpack.encode(_Known(number, place, part.rows, part.blocks))
        self._count += 1

    def write(self) -> tuple[bytes, bytes]:
        """Return the names, and the parts as one array."""
        layouts = [msgspec.msgpack.decode(layout, type=_Layout) for layout in self._layouts]
        names = _Names(list(self._columns), list(self._keys), layouts)
        head = b"\xdd" + self._count.to_bytes(4, "big")
        return msgspec.msgpack.encode(names), head + self._parts


def _number(names: Iterable[Any], known: dict[Any, int]) -> list[int]:
    return [known.setdefault(name, len(known)) for name in names]


class IndexWriter:
    """Takes the parts of all shards in order, and keeps of each no more than an index needs."""

    def __init__(self) -> None:
        self.union = Union()
        #: The shards' objects, in order.
        self.objects: list[str] = []
        self._sections: dict[CollectionPath, _Section] = {}

    def add(self, name: str, parts: Iterable[Part]) -> None:
        """Take the parts of one shard, which lie in the object of this name."""
        for part in parts:
            self.union.add(part)
            self._sections.setdefault(part.path, _Section()).add(part, len(self.objects))
        self.objects.append(name)

    def write(self, tables: list[Table], *, typed: bool, guarded: bool = False) -> bytes:
        """Return the index of these tables.

        `typed`: the parts hold JSON; `guarded`: they hold CSV whose texts are guarded against spreadsheets.
        """
        written, spans = bytearray(), []
        for table in tables:
            names, parts = self._sections.get(table.path, _Section()).write()
            spans.append((len(written), len(names), len(parts)))
            written += names + parts
        header = msgspec.msgpack.encode(_Header(typed, tables, self.objects, spans, guarded))
        return bytes(written + header + LENGTH.pack(len(header)))


class Index:
    """An index that is read as far as it is needed."""

    def __init__(self, read: ReadIndex, size: int) -> None:
        self.size = size
        self._read = read
        (length,) = LENGTH.unpack(read(size - LENGTH.size, LENGTH.size))
        self._header = msgspec.msgpack.decode(read(size - LENGTH.size - length, length), type=_Header)
        self._sections: dict[int, tuple[_Names, list[_Known]]] = {}

    @property
    def typed(self) -> bool:
        return self._header.typed

    @property
    def guarded(self) -> bool:
        return self._header.guarded

    @property
    def tables(self) -> list[Table]:
        return self._header.tables

    @property
    def objects(self) -> list[str]:
        """The objects that hold the parts."""
        return self._header.objects

    def sources(self, number: int, read: ReadObject, skip: int = 0) -> tuple[Iterator[Source], int]:
        """Return a table's parts from the one with row `skip` on, and how many of its rows come before."""
        names, known = self._open(number)
        first = 0
        while first < len(known) and known[first].rows <= skip:
            skip -= known[first].rows
            first += 1
        return self._restore(number, names, known, first, read), skip

    def _restore(
        self, number: int, names: _Names, known: list[_Known], first: int, read: ReadObject
    ) -> Iterator[Source]:
        table, objects = self.tables[number], self._header.objects
        for place in range(first, len(known)):
            each = known[place]
            layout = names.layouts[each.layout]
            part = Part(
                table.path,
                rows=each.rows,
                own=[names.columns[column] for column in layout.own],
                ancestors=[names.columns[column] for column in layout.ancestors],
                inputs=table.inputs,
                own_keys=[names.keys[key] for key in layout.own_keys],
                ancestor_keys=[names.keys[key] for key in layout.ancestor_keys],
                blocks=each.blocks,
            )
            yield part, partial(read, objects[each.object])

    def _open(self, number: int) -> tuple[_Names, list[_Known]]:
        if number not in self._sections:
            offset, names, parts = self._header.spans[number]
            self._sections[number] = (
                msgspec.msgpack.decode(self._read(offset, names), type=_Names),
                msgspec.msgpack.decode(self._read(offset + names, parts), type=list[_Known]),
            )
        return self._sections[number]
