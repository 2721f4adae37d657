"""Executions: their state, their items, what failed and what happened."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swath.flow.definition import Json, OutputFormat
from swath.flow.execution import Status, StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """A combined file; its address needs no token. Revisions after 0 were combined after the end."""

    id: str
    revision: int
    url: str
    name: str
    collection: str
    format: OutputFormat | Literal["zip"]
    rows: int
    columns: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionCounters:
    """What an execution has done so far. `items_kept`: ended items that a retry took over.

    `rows` are those of all files; while it goes on, those of the lists of records that pages held.
    """

    items: int
    items_ended: int
    items_kept: int
    pages: int
    requests: int
    attempts: int
    attempts_unknown: int
    rows: int
    bytes: int
    statuses: dict[str, int]
    stop_reasons: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLimits:
    """The limits that an execution was given; null where there is none."""

    requests: int | None
    rows: int | None
    bytes: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionObject:
    """An execution; a retry has a parent. `completed_at` is set once every result can be downloaded."""

    id: str
    workflow_id: str
    parent_id: str | None
    source_execution_id: str | None
    triggered_by: str | None
    execution_parameters: str
    created_at: datetime
    completed_at: datetime | None
    archive_removed_at: datetime | None
    results: list[ResultFile]
    status: Status
    waiting_for: str | None
    priority: int
    error: str | None
    warnings: list[str]
    execution_name: str | None
    started_at: datetime | None
    truncated: bool
    truncated_by: Literal["requests", "rows", "bytes", "seconds"] | None
    limits: ExecutionLimits
    counters: ExecutionCounters
    progress: float
    seconds_left: float | None
    started: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """An attempt in vain: what came of it through which exit, and the seconds waited before the next."""

    exit: str
    outcome: str
    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An item that failed."""

    item: int
    page: int
    stop_reason: StopReason
    error_code: str
    message: str
    retryable: bool
    attempts: int
    last_status: int | None
    exit: str | None
    inputs: dict[str, Json]
    sample: str | None
    tries: list[Try]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKind:
    """How many items failed in one way."""

    error_code: str
    last_status: int | None
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """An answer of an item. `counted` is false where it repeats earlier ones and gives no rows."""

    page: int
    attempt: int
    exit: str
    started_at: datetime
    elapsed: float
    url: str
    status: int
    headers: list[tuple[str, str]]
    rows: int
    counted: bool
    bytes: int
    tries: list[Try]
    #: The first 2,000 characters of the body.
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemObject:
    """An input item's story; `inputs` from the start on, `declared_total` once known and not `rows`."""

    item: int
    inputs: dict[str, Json] | None
    state: Literal["waiting", "working", "ended"]
    stop_reason: StopReason | None
    declared_total: int | None
    pages_count: int
    rows: int
    pages: list[ItemPage]
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to an execution."""

    id: int
    at: datetime
    kind: str
    data: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacePoint:
    """What was counted in one span; `refused` were answered 429, `errors` otherwise or not at all."""

    at: datetime
    requests: int
    rows: int
    refused: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Counts over spans of `seconds` each, oldest first; spans without any are left out."""

    seconds: int
    points: list[PacePoint]
