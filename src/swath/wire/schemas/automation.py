"""What triggers executions and what is told of them: schedules and webhooks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swath.operations import webhooks
from swath.operations.schedules import Overlap
from swath.operations.triggers import Trigger


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
