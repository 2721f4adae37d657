"""Endpoints, and one request to one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swath.flow.definition import Endpoint, Json, ProxyChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleRequest:
    """One request, now. `format` of `json` adds the parsed answer."""

    inputs: Mapping[str, Json] | None = None
    proxy: ProxyChoice | None = None
    format: Literal["json", "text"] | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointObject(Endpoint):
    """A stored endpoint; secret defaults are masked."""

    id: str
    variable_names: list[str]
    created_at: datetime
    updated_at: datetime
