"""Proxies, and how they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


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
