"""Trigger executions: freeze what they are to be, and queue them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import msgspec

from swath.engine.extract import WRITERS
from swath.engine.frozen import Frozen
from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput
from swath.flow.checks import LARGEST
from swath.flow.definition import (
    Axis,
    Compression,
    Definition,
    Endpoint,
    Json,
    Options,
    OutputFormat,
    ProxyChoice,
    ProxyType,
    Workflow,
)
from swath.flow.execution import HIGHEST, LOWEST, USUAL
from swath.flow.masking import MASK
from swath.flow.plan import choose_shard_size, count_items, is_drawn, lay_axes
from swath.flow.request import RequestTemplate
from swath.operations import proxies, workflows
from swath.operations.context import Context, User
from swath.operations.sources import Lists, refuse_source
from swath.store import executions, retention
from swath.store.database import Connection, Row
from swath.store.vault import Vault

#: Characters of an idempotency key.
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where an execution ends normally with what it has, `truncated`, at the latest; None: nowhere."""

    #: Rows at the record path, before filters and repeated rows are dropped.
    rows: int | None = None
    #: Bytes of the answers that are taken, decompressed.
    bytes: int | None = None
    #: Seconds since the start; those of pauses do not count.
    seconds: float | None = None

    def columns(self) -> dict[str, int | None]:
        """Return the columns of an execution's row. Raises InvalidInput for what is no bound."""
        for name in ("rows", "bytes", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 2**53:
                raise InvalidInput(f"limits.{name}", "Must be more than 0; leave it out for no limit.")
        maximum_ms = None if self.seconds is None else max(1, round(self.seconds * 1000))
        return {"maximum_rows": self.rows, "maximum_bytes": self.bytes, "maximum_ms": maximum_ms}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What the caller of an execution may ask for; every part is optional."""

    proxy: ProxyChoice | None = None
    execution_parameters: Mapping[str, Json] | None = None
    maximum_requests_count: int | None = None
    limits: Bounds | None = None
    output_aggregation_format: OutputFormat | None = None
    compression: Compression | None = None
    archive: bool | None = None
    do_proxy_hot_swap: bool | None = None
    execution_name: str | None = None
    #: 1 to 9, the highest first; 5 where it is left out.
    priority: int | None = None
    send_completion_email: bool | None = None
    #: Of a workflow that takes another's rows: the execution that gives them; the newest if it is left out.
    source_execution_id: str | None = None
    #: Whether its end starts the workflows that take its rows; true if it is left out.
    chain: bool | None = None


async def trigger(
    context: Context, user: User, workflow_id: str, asked: Trigger, idempotency_key: str | None = None
) -> str:
    """Queue an execution of a workflow and return its id.

    The definition and the collections are frozen as they are at this moment: the definition in the
    execution's row, the collections by their version. The same idempotency key gives the same id.
    """
    _check(asked)
    request = [workflow_id, asked]
    return await once(
        context, user, idempotency_key, request, lambda: prepare(context, user, workflow_id, asked), insert
    )


async def prepare(context: Context, user: User, workflow_id: str, asked: Trigger) -> dict[str, Any]:
    """Return what `insert` queues, but for the inputs. Raises InvalidInput, and NotFound for the workflow."""
    _check(asked)
    return {
        "id": str(uuid4()),
        "owner_id": user.id,
        "workflow_id": workflow_id,
        "name": asked.execution_name,
        "created_at": now_ms(),
        "priority": asked.priority or USUAL,
        "maximum_requests_count": asked.maximum_requests_count,
        **(asked.limits or Bounds()).columns(),
        "definition": await _freeze(context, user, workflow_id, asked),
        "parameters": asked.execution_parameters or {},
        "source_id": asked.source_execution_id,
    }


async def once(
    context: Context,
    user: User,
    key: str | None,
    request: Any,
    prepare: Callable[[], Awaitable[dict[str, Any]]],
    insert: Callable[[Connection, dict[str, Any]], None],
) -> str:
    """Queue what `prepare` makes ready and return its id; of an idempotency key known by now, the id it has.

    Raises Conflict where the key was used with another request.
    """
    digest = sha256(msgspec.json.encode(request, order="sorted")).hexdigest()
    if key is not None:
        _check_key(key)
        known = await context.database.read(executions.find_repeat, user.id, key)
        if known is not None:
            return _repeat(known, digest)
    values = await prepare()

    def write(connection: Connection) -> str:
        if key is not None:
            kept = executions.remember_key(connection, user.id, key, digest, values["id"])
            if kept.execution_id != values["id"]:  # another request with the key was quicker
                return _repeat(kept, digest)
        insert(connection, values)
        return str(values["id"])

    execution_id = await context.database.write(write)
    context.engine.wake()
    return execution_id


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= LONGEST_KEY:
        raise InvalidInput("Idempotency-Key", f"Must have 1 to {LONGEST_KEY} characters.")


def _repeat(known: Row[Any], digest: str) -> str:
    if known.digest != digest:
        raise Conflict("Idempotency-Key", "This key was used with another request; take a new one.")
    return str(known.execution_id)


def _check(asked: Trigger) -> None:
    check_limit(asked.maximum_requests_count)
    check_priority(asked.priority)
    if asked.output_aggregation_format not in (None, *WRITERS):
        raise InvalidInput("output_aggregation_format", f"Must be one of: {', '.join(WRITERS)}.")


def check_priority(priority: int | None) -> None:
    if priority is not None and not LOWEST <= priority <= HIGHEST:
        raise InvalidInput("priority", f"Must be {LOWEST} to {HIGHEST}; the highest goes first.")


def check_limit(limit: int | None) -> None:
    """Raise InvalidInput for what is no limit of requests."""
    if limit is not None and not 1 <= limit <= LARGEST:
        message = f"Must be from 1 to {LARGEST}; leave it out for no limit."
        raise InvalidInput("maximum_requests_count", message)


async def _freeze(context: Context, user: User, workflow_id: str, asked: Trigger) -> Frozen:
    """Gather what the execution is to be, but for its inputs, which are laid in the transaction."""
    workflow, endpoint = await workflows.load(context, user, workflow_id)
    refuse_source(workflow, asked.source_execution_id)
    choice, ways = await proxies.choose(context, user, asked.proxy)
    options = Options(
        proxy=choice,
        maximum_requests_count=asked.maximum_requests_count,
        output_aggregation_format=asked.output_aggregation_format or "csv",
        compression=asked.compression or "none",
        archive=bool(asked.archive),
        do_proxy_hot_swap=bool(asked.do_proxy_hot_swap),
        chain=asked.chain is not False,
    )
    definition = define(context.vault, workflow, endpoint, asked.execution_parameters or {}, options)
    return Frozen(definition=definition, exits=[seal_exit(context, way) for way in ways])


def define(
    vault: Vault, workflow: Workflow, endpoint: Endpoint, parameters: Mapping[str, Json], options: Options
) -> Definition:
    """Return what an execution is to be, but for its inputs; secret parameters are sealed."""
    secret = {name for name, variable in endpoint.variables.items() if variable.secret}
    sealed = {
        name: vault.seal_value(value) if name in secret else value for name, value in parameters.items()
    }
    known = RequestTemplate(endpoint).names | endpoint.variables.keys()
    scalars = {name: sealed[name] for name in sealed.keys() & known if not isinstance(sealed[name], list)}
    return Definition(
        endpoint=endpoint,
        workflow=workflow,
        constants={**workflow.inputs, **scalars},
        parameters=sealed,
        options=options,
    )


def seal_exit(context: Context, way: proxies.Way) -> tuple[str, ProxyType, str, Json]:
    name, kind, location, url = way
    return name, kind, location, context.vault.seal_value(url)


def insert(connection: Connection, values: dict[str, Any]) -> None:
    """Lay the inputs and insert the execution, in one transaction: no change of a list comes between.

    How many items the rows of another execution make is known once they were read, when it begins.
    """
    frozen: Frozen = values["definition"]
    lists = Lists(connection, values["owner_id"], frozen.definition.workflow, values["source_id"])
    axes = lay(frozen.definition, lists)
    definition = replace(frozen.definition, axes=axes)
    items = count_items(axes, definition.workflow.join) if is_drawn(axes) else 0
    stored = Frozen(definition=definition, exits=frozen.exits)
    laid = {
        "definition": msgspec.json.encode(stored).decode(),
        "parameters": json.dumps(_shown(definition, values["parameters"])),
        "items_total": items,
        "shard_size": choose_shard_size(items),
        "source_id": None if lists.source is None else lists.source.id,
    }
    executions.add(connection, values | laid)
    for axis in axes:
        if axis.snapshot is not None:
            retention.use(connection, values["id"], *axis.snapshot)


def lay(definition: Definition, lists: Lists) -> tuple[Axis, ...]:
    """Lay the axes from the lists of this moment."""
    workflow, endpoint = definition.workflow, definition.endpoint
    listable = frozenset(RequestTemplate(endpoint).names | endpoint.variables.keys())
    now = datetime.fromtimestamp(now_ms() / 1e3, UTC)
    return lay_axes(workflow, definition.parameters, listable, lists, now)


def _shown(definition: Definition, parameters: Mapping[str, Json]) -> dict[str, Json]:
    variables = definition.endpoint.variables
    return {
        name: MASK if name in variables and variables[name].secret else value
        for name, value in parameters.items()
    }
