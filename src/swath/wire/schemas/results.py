"""What came of an execution: rows, columns, files, stored responses."""

from dataclasses import dataclass
from datetime import datetime

from swath.flow.definition import Json
from swath.flow.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """A line of the raw archive: an answer as it came; `body_base64` where it is not UTF-8."""

    item: int
    page: int
    inputs: dict[str, Json]
    attempt: int
    exit: str
    started_at: datetime
    elapsed: float
    url: str
    status: int
    headers: list[tuple[str, str]]
    rows: int
    body: str | None
    body_base64: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A revision of an execution's files; they are there when `completed_at` is set and `error` is not."""

    execution_id: str
    revision: int
    recipe: Recipe
    created_at: datetime
    completed_at: datetime | None
    error: str | None
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of a result collection, by column. `total`: of how many, so far."""

    collection: str
    columns: list[str]
    rows: list[dict[str, Json]]
    total: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnObject:
    """A column; of inputs only its name. `types` counts values by their kinds as they first appeared."""

    name: str
    path: str
    types: dict[str, int] | None = None
    nulls: int | None = None
    missing: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A result collection's columns. `in_more`: those that stand together in the last one."""

    collection: str
    rows: int
    columns: list[ColumnObject]
    in_more: list[ColumnObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What can be said about an ended execution's files: rows, columns, digests, names, totals."""
