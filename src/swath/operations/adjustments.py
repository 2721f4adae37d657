"""Change how an execution is worked on while it goes on: its pace, concurrency, limits, turns and exits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from swath.engine.frozen import Adjustments, Frozen
from swath.engine.live import counts_rows
from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput
from swath.flow.checks import check_numbers
from swath.flow.definition import Json, ProxyChoice, RateLimit, Workflow
from swath.flow.execution import TERMINAL, Status
from swath.operations import proxies
from swath.operations.context import Context, User
from swath.operations.executions import ExecutionView, own_whole, show
from swath.operations.triggers import Bounds, check_limit, check_priority
from swath.store import executions, ledger, limits, shards
from swath.store.database import Connection, Row

#: By the kind of a limit: the field in which it is given.
FIELDS = {"requests": "maximum_requests_count"} | {
    kind: f"limits.{kind}" for kind in ("rows", "bytes", "seconds")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What can be changed of an execution that has not ended; what is left out stays as it is."""

    rate_limits: tuple[RateLimit, ...] | None = None
    concurrency: int | None = None
    maximum_requests_count: int | None = None
    #: Of rows, bytes and seconds; what was taken before counts, too.
    limits: Bounds | None = None
    #: 1 to 9, the highest first.
    priority: int | None = None
    proxy: ProxyChoice | None = None

    @property
    def bounds(self) -> Mapping[str, int]:
        """The new limits by kind, as they are kept. Raises InvalidInput for what is no limit."""
        check_limit(self.maximum_requests_count)
        columns = {
            "maximum_requests_count": self.maximum_requests_count,
            **(self.limits or Bounds()).columns(),
        }
        kinds = {kind: columns[name] for kind, (name, _) in limits.COLUMNS.items()}
        return {kind: value for kind, value in kinds.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What an execution is worked on by, after all changes; its limits and priority it tells itself."""

    rate_limits: tuple[RateLimit, ...]
    concurrency: int
    proxy: ProxyChoice


async def show_in_force(context: Context, user: User, execution_id: str) -> InForce:
    """Return what holds of what `adjust` can change. Raises NotFound."""
    row = await context.database.read(own_whole, user, execution_id)
    frozen = msgspec.json.decode(row.definition, type=Frozen)
    changed = msgspec.json.decode(row.adjustments or "{}", type=Adjustments)
    workflow, options = frozen.definition.workflow, frozen.definition.options
    return InForce(
        rate_limits=workflow.rate_limits if changed.rate_limits is None else changed.rate_limits,
        concurrency=workflow.concurrency if changed.concurrency is None else changed.concurrency,
        proxy=changed.proxy or options.proxy,
    )


async def adjust(context: Context, user: User, execution_id: str, changes: Changes) -> ExecutionView:
    """Change an execution; in force within a second, for what is sent from then on.

    Each change is an event. Raises InvalidInput, and Conflict where the execution has ended or is stopping.
    """
    check_priority(changes.priority)
    bounds = changes.bounds
    wanted = Adjustments(rate_limits=changes.rate_limits, concurrency=changes.concurrency)
    if changes.proxy is not None:
        wanted.proxy, ways = await proxies.choose(context, user, changes.proxy)
        wanted.exits = [(*way[:3], context.vault.seal_value(way[3])) for way in ways]
    await context.database.write(_adjust, user, execution_id, wanted, bounds, changes.priority)
    context.engine.signal(execution_id)
    return await show(context, user, execution_id)


def _adjust(
    connection: Connection,
    user: User,
    execution_id: str,
    wanted: Adjustments,
    bounds: Mapping[str, int],
    priority: int | None,
) -> None:
    row = own_whole(connection, user, execution_id)
    if row.status in TERMINAL or row.status == Status.STOPPING:
        raise Conflict("status", f"Only an execution that goes on can be changed; this one is {row.status}.")
    frozen = msgspec.json.decode(row.definition, type=Frozen)
    before = msgspec.json.decode(row.adjustments or "{}", type=Adjustments)
    _check(frozen.definition.workflow, wanted)
    given = {name: value for name in wanted.__struct_fields__ if (value := getattr(wanted, name)) is not None}
    after = msgspec.structs.replace(before, **given)
    executions.adjust(connection, execution_id, {"adjustments": msgspec.json.encode(after).decode()})
    if bounds:
        _bound(connection, row, frozen.definition.workflow, bounds)
    if priority is not None and priority != row.priority:
        executions.adjust(connection, execution_id, {"priority": priority})
        shards.withdraw(connection, execution_id)  # to be queued again, in their new place
    for field, old, new in _differences(row, frozen, before, after, bounds, priority):
        data = {"field": field, "from": old, "to": new, "by": user.name}
        ledger.record_event(connection, execution_id, "adjusted", data, now_ms())


def _bound(connection: Connection, row: Row[Any], workflow: Workflow, bounds: Mapping[str, int]) -> None:
    """Set limits. Raises Conflict where it is too late for them, InvalidInput where rows are not counted."""
    if row.started_at is not None and shards.is_all_fetched(connection, row):
        told = "All that was to be fetched is there, and its files are being made; no limit changes that."
        raise Conflict("status", told)
    if "rows" in bounds and row.maximum_rows is None and row.started_at and not counts_rows(workflow):
        told = "Nobody counts the rows of this execution while it runs: give this limit with the trigger."
        raise InvalidInput("limits.rows", told)
    limits.change(connection, row, bounds, now_ms())


def _check(workflow: Workflow, wanted: Adjustments) -> None:
    rates, concurrency = wanted.rate_limits, wanted.concurrency
    changed = replace(
        workflow,
        rate_limits=workflow.rate_limits if rates is None else rates,
        concurrency=workflow.concurrency if concurrency is None else concurrency,
    )
    if findings := list(check_numbers(changed)):
        raise InvalidInput(*findings[0], *findings[1:])


def _differences(
    row: Row[Any],
    frozen: Frozen,
    before: Adjustments,
    after: Adjustments,
    bounds: Mapping[str, int],
    priority: int | None,
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
    for kind, value in bounds.items():
        if value != (old := getattr(row, limits.COLUMNS[kind][0])):
            yield FIELDS[kind], _tell(kind, old), _tell(kind, value)
    if priority not in (None, row.priority):
        yield "priority", row.priority, priority


def _tell(kind: str, value: int | None) -> float | None:
    """Return a limit in the unit in which it is given."""
    return value / 1000 if kind == "seconds" and value is not None else value
