"""Collections and changes of them."""

from dataclasses import dataclass
from datetime import datetime

from swath.flow.definition import Json
from swath.flow.items import Kind
from swath.operations.collections import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCollectionKeys:
    """The keys of a new collection beside its items."""

    name: str
    kind: Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCollection(NewCollectionKeys):
    """A new collection. Its kind is that of its first item."""

    items: list[str | int | float | dict[str, Json]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKeys:
    """The keys of a change beside its items."""

    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionChange(ChangeKeys):
    """A change to a collection's items."""

    items: list[str | int | float | dict[str, Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """A new name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionLine:
    """A collection without its items."""

    id: str
    name: str
    count: int
    kind: Kind | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedCollection(CollectionLine):
    """A collection after an upload: how many items the file held, known ones too, and its blank lines."""

    received: int
    blank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledCollection(CollectionLine):
    """A collection after rows were taken: how many gave an item, known ones too, and how many gave none."""

    received: int
    blank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionObject(CollectionLine):
    """A collection."""

    items: list[str] | list[dict[str, Json]]
