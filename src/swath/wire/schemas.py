"""What bodies and answers consist of, as the OpenAPI document says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swath.flow.definition import Endpoint, Json, OutputFormat, ProxyChoice, VariableMapping, Workflow
from swath.flow.estimate import Estimate
from swath.flow.execution import Status, StopReason
from swath.flow.formula import Change
from swath.flow.items import Kind
from swath.flow.recipe import Recipe
from swath.operations import webhooks
from swath.operations.collections import Method
from swath.operations.schedules import Overlap
from swath.operations.triggers import Trigger

# --- bodies


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleRequest:
    """One request, now. `format` of `json` adds the parsed answer."""

    inputs: Mapping[str, Json] | None = None
    proxy: ProxyChoice | None = None
    format: Literal["json", "text"] | None = None


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
class FormulaToApply:
    """A formula (`formula.schema.json` describes it) as text or as an object, and values of its secrets.

    `secrets` are named `variable` or `endpoint.variable`; `proxies.NAME` is the whole address of a proxy.
    """

    formula: str | dict[str, Json]
    secrets: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewWish:
    """What to look at. With a `formula` its `workflow` is previewed, with the values of `secrets`.

    `items` is how many first pages are fetched: 3 unless told, at most 10.
    """

    formula: str | dict[str, Json] | None = None
    workflow: str | None = None
    secrets: Mapping[str, Json] | None = None
    execution_parameters: Mapping[str, Json] | None = None
    proxy: ProxyChoice | None = None
    items: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportWish:
    """What another tool wrote, as a text. A body that is not such an object is the text itself."""

    source: str


# --- answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """What is wrong, field by field."""

    errors: list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What is gone."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointObject(Endpoint):
    """A stored endpoint; secret defaults are masked."""

    id: str
    variable_names: list[str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowLine:
    """A workflow in a list."""

    id: str
    name: str
    endpoint_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowObject(Workflow):
    """A stored workflow; secret inputs are masked."""

    id: str
    mappings: tuple[VariableMapping, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowName:
    """A workflow of a formula; the id is null where it would only be created."""

    name: str
    id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFormula:
    """What a formula has changed, or would. `secrets_missing` are secret variables without a value."""

    dry_run: bool
    changes: list[Change]
    workflows: list[WorkflowName]
    secrets_missing: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedRequest:
    """A request that was sent, secrets masked, and what came back; `error_code` where no rows come of it."""

    inputs: dict[str, Json]
    method: str | None = None
    url: str | None = None
    headers: list[tuple[str, str]] | None = None
    body: str | None = None
    status_code: int | None = None
    elapsed: float | None = None
    bytes: int | None = None
    response_text: str | None = None
    error_code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedCollection:
    """A table that the first pages make, and its first rows."""

    name: str
    columns: list[str]
    rows: list[dict[str, Json]]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedPaginator:
    """A paginator that the first answer speaks for, the most certain first."""

    paginator: dict[str, Json]
    evidence: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewObject:
    """What an execution would be. The estimate is null where no request went well."""

    items: int
    requests: list[PreviewedRequest]
    collections: list[PreviewedCollection]
    paginators: list[SuggestedPaginator]
    estimate: Estimate | None
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedObject:
    """A formula made of what another tool wrote, as text and as an object, and notes on what was not carried.

    `secrets` are the values that were found; they stand nowhere in the formula. Give them when it is applied.
    """

    formula: str
    formula_object: dict[str, Json]
    secrets: dict[str, str]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaText:
    """A workflow as a formula; asked for without `Accept: application/json`, the bare text is answered."""

    workflow_id: str
    formula: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHealth:
    """What was last learnt of a proxy: `latency` in seconds, `error_code` until it is well again."""

    state: Literal["unknown", "well", "failing", "quarantined"]
    quarantine_ends_at: datetime | None
    latency: float | None
    error_code: str | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyReport:
    """How a test went. `latency` in seconds; `status_code` where an address was asked for."""

    ok: bool
    latency: float
    status_code: int | None
    error_code: str | None
    message: str | None
    tested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyObject:
    """A proxy; its password is masked, and its URL shown to its owner only."""

    id: str
    name: str
    type: Literal["shared", "dedicated"]
    location: str
    url: str | None
    shared: bool
    created_at: datetime
    updated_at: datetime
    health: ProxyHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookObject:
    """A webhook; its secret is masked, but for the answer to its creation where it was made by the server."""

    id: str
    name: str
    url: str
    events: list[webhooks.Event]
    secret: str
    enabled: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a webhook was told, or is to be told, and what came of it. `elapsed` in seconds."""

    id: str
    event: str
    execution_id: str | None
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    last_answer: str | None
    elapsed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleObject:
    """A schedule; secret parameters are masked. `upcoming` are the next times that it is due."""

    id: str
    name: str
    workflow_id: str
    cron: str
    timezone: str
    execution: Trigger
    overlap: Overlap
    enabled: bool
    next_run_at: datetime | None
    upcoming: list[datetime]
    last_run_at: datetime | None
    last_execution_id: str | None
    last_outcome: Literal["triggered", "skipped", "failed"] | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenObject:
    """A token, without the token itself."""

    id: str
    name: str
    user: str
    admin: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokenObject(TokenObject):
    """A token as it is shown once."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """The execution that was queued."""

    id: str


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
class SettingObject:
    """What an operator can set. Of a secret, `value` is null; `given` tells whether it was set."""

    variable: str
    meaning: str
    value: Json
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerObject:
    """The server, and who asks. An administrator is told all settings, others what concerns them."""

    version: str
    user: str
    admin: bool
    database: Literal["sqlite", "postgresql"]
    settings: list[SettingObject]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamAnswer:
    """What the upstream answered; `response_json` only where it was asked for, null if it is not JSON."""

    status_code: int
    headers: dict[str, str]
    response_text: str
    response_json: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleAnswer:
    """One request's inputs, its way out and its answer."""

    inputs: dict[str, Json]
    proxy: ProxyChoice | None
    response: UpstreamAnswer
