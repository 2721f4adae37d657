"""What bodies and answers consist of, as the OpenAPI document says it: a module for each noun."""

from swath.wire.schemas import (
    automation,
    collections,
    endpoints,
    executions,
    outcomes,
    proxies,
    results,
    server,
    workflows,
)

__all__ = [
    "automation",
    "collections",
    "endpoints",
    "executions",
    "outcomes",
    "proxies",
    "results",
    "server",
    "workflows",
]
