"""Change how an execution is worked on while it runs: its pace, its concurrency, its limit, its exits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from swath.engine.frozen import Adjustments, Frozen
from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput
from swath.flow.checks import check_numbers
from swath.flow.definition import Json, ProxyChoice, RateLimit, Workflow
from swath.flow.execution import TERMINAL, Status
from swath.operations import proxies
from swath.operations.context import Context, User
from swath.operations.executions import ExecutionView, own_whole, show
from swath.operations.triggers import check_limit
from swath.store import executions, ledger
from swath.store.database import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What can be changed of an execution that has not ended; what is left out stays as it is."""

    rate_limits: tuple[RateLimit, ...] | None = None
    concurrency: int | None = None
    maximum_requests_count: int | None = None
    proxy: ProxyChoice | None = None


async def adjust(context: Context, user: User, execution_id: str, changes: Changes) -> ExecutionView:
    """Change an execution; in force within a second, for what is sent from then on.

    Each change is an event. Raises InvalidInput, and Conflict where the execution has ended or is stopping.
    """
    check_limit(changes.maximum_requests_count)
    wanted = Adjustments(rate_limits=changes.rate_limits, concurrency=changes.concurrency)
    if changes.proxy is not None:
        wanted.proxy, ways = await proxies.choose(context, user, changes.proxy)
        wanted.exits = [(*way[:3], context.vault.seal_value(way[3])) for way in ways]
    await context.database.write(_adjust, user, execution_id, wanted, changes.maximum_requests_count)
    context.engine.signal(execution_id)
    return await show(context, user, execution_id)


def _adjust(
    connection: Connection, user: User, execution_id: str, wanted: Adjustments, limit: int | None
) -> None:
    row = own_whole(connection, user, execution_id)
    if row.status in TERMINAL or row.status == Status.STOPPING:
        raise Conflict("status", f"Only an execution that goes on can be changed; this one is {row.status}.")
    frozen = msgspec.json.decode(row.definition, type=Frozen)
    before = msgspec.json.decode(row.adjustments or "{}", type=Adjustments)
    _check(frozen.definition.workflow, wanted)
    given = {name: value for name in wanted.__struct_fields__ if (value := getattr(wanted, name)) is not None}
    after = msgspec.structs.replace(before, **given)
    executions.adjust(connection, execution_id, msgspec.json.encode(after).decode(), limit)
    for field, old, new in _differences(row, frozen, before, after, limit):
        data = {"field": field, "from": old, "to": new, "by": user.name}
        ledger.record_event(connection, execution_id, "adjusted", data, now_ms())


def _check(workflow: Workflow, wanted: Adjustments) -> None:
    limits, concurrency = wanted.rate_limits, wanted.concurrency
    changed = replace(
        workflow,
        rate_limits=workflow.rate_limits if limits is None else limits,
        concurrency=workflow.concurrency if concurrency is None else concurrency,
    )
    if findings := list(check_numbers(changed)):
        raise InvalidInput(*findings[0], *findings[1:])


def _differences(
    row: Row[Any], frozen: Frozen, before: Adjustments, after: Adjustments, limit: int | None
) -> Iterator[tuple[str, Json, Json]]:
    """Yield what has changed: the field, how it was, how it is."""
    workflow, options = frozen.definition.workflow, frozen.definition.options
    origins = {
        "rate_limits": workflow.rate_limits,
        "concurrency": workflow.concurrency,
        "proxy": options.proxy,
    }
    for field, origin in origins.items():
        old, new = (getattr(each, field) for each in (before, after))
        old, new = (msgspec.to_builtins(origin if each is None else each) for each in (old, new))
        if old != new:
            yield field, old, new
    if limit is not None and limit != row.maximum_requests_count:
        yield "maximum_requests_count", row.maximum_requests_count, limit
