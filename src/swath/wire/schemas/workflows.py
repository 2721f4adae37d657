"""Workflows, as objects and as formulas, and what can be seen of them before they run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from swath.flow.definition import Json, ProxyChoice, VariableMapping, Workflow
from swath.flow.estimate import Estimate
from swath.flow.formula import Change


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
