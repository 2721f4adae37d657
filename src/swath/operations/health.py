"""Whether the house can work, and what it does in numbers."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from swath.operations.context import Context
from swath.store import executions
from swath.store.database import answers


async def check(context: Context) -> str | None:
    """Return what keeps requests from being served, or None."""
    if not await context.database.read(answers):
        return "The database does not answer."
    return None


async def measure(context: Context) -> bytes:
    """Return the numbers of the whole server in Prometheus's text format."""
    registry = CollectorRegistry()
    totals = await context.database.read(executions.sum_by_status)
    count = Gauge("swath_executions", "Executions by status.", ["status"], registry=registry)
    for status, (number, *_) in totals.items():
        count.labels(status).set(number)
    names = {
        "swath_attempts": "Requests sent.",
        "swath_pages": "Pages recorded.",
        "swath_bytes": "Bytes of the bodies recorded.",
        "swath_rows": "Rows in result files.",
    }
    for place, (name, meaning) in enumerate(names.items(), start=1):
        Gauge(name, meaning, registry=registry).set(sum(each[place] for each in totals.values()))
    return generate_latest(registry)
