"""Retry an ended execution: a new one that fetches only some of its items and keeps the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import msgspec

from swath.engine.frozen import Adjustments, Frozen
from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.definition import Definition, Endpoint, Json, ProxyChoice, Workflow
from swath.flow.execution import TERMINAL
from swath.flow.renewal import Choice, Which
from swath.operations import proxies
from swath.operations.context import Context, User
from swath.operations.executions import check_archive, own_archive
from swath.operations.triggers import Bounds, check_priority, once, seal_exit
from swath.store import definitions, executions, retention
from swath.store.database import Connection, Row

#: Items that can be named; more are better chosen by how they ended.
MOST_ITEMS = 100_000
#: What is said where nothing ended in a way that was asked for.
NOTHING = (
    "No item of this execution ended so, and nothing is to be fetched anew. "
    "Choose `failed`, `partial` or `limited`, or name items."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What of an ended execution to fetch anew; every part is optional."""

    #: Items that ended so: `failed`, `partial` (cut short by the upstream), `limited` (by a limit of yours).
    which: tuple[Which, ...] = ("failed",)
    #: The numbers of the items instead, however they ended.
    items: tuple[int, ...] | None = None
    #: New values of secret variables; all other inputs are those of the execution.
    execution_parameters: Mapping[str, Json] | None = None
    proxy: ProxyChoice | None = None
    #: Counts what the retry sends; left out: as many as the execution had.
    maximum_requests_count: int | None = None
    #: Of what the retry itself fetches; left out: those of the execution.
    limits: Bounds | None = None
    execution_name: str | None = None
    #: Left out: that of the execution.
    priority: int | None = None


async def retry(
    context: Context, user: User, execution_id: str, asked: Retry, idempotency_key: str | None = None
) -> str:
    """Queue a retry and return its id.

    It has the inputs and the definition of the execution, the secrets and proxies of this moment. Raises
    Conflict where that has not ended or nothing is to be fetched, InvalidInput for what does not fit it.
    """

    async def prepare() -> dict[str, Any]:
        parent = await context.database.read(own_archive, user, execution_id)
        choice = await context.database.read(_choose, parent, asked)
        frozen = await _freeze(context, user, parent, asked)
        return _values(parent, choice, frozen, asked)

    return await once(context, user, idempotency_key, [execution_id, "retry", asked], prepare, _insert)


def _insert(connection: Connection, values: dict[str, Any]) -> None:
    """Insert the retry, unless what it needs was removed a moment ago."""
    parent = retention.lock(connection, values["parent_id"])
    if parent is None:
        raise NotFound("id", "No execution of yours has this id.")
    check_archive(parent)
    executions.add(connection, values)
    retention.use_as(connection, values["id"], parent.id)


def _choose(connection: Connection, parent: Row[Any], asked: Retry) -> Choice:
    if parent.status not in TERMINAL:
        raise Conflict("status", f"This execution has not ended, it is {parent.status}; wait, or cancel it.")
    if asked.maximum_requests_count is not None and asked.maximum_requests_count < 1:
        raise InvalidInput("maximum_requests_count", "Must be at least 1; leave it out for as before.")
    check_priority(asked.priority)
    if asked.items is not None:
        choice = Choice(items=_check_items(asked.items, parent.items_total))
    else:
        choice = Choice(which=asked.which)
    if not choice.count(executions.count_reasons(connection, parent)):
        raise Conflict("which", NOTHING)
    return choice


def _check_items(items: tuple[int, ...], total: int) -> tuple[int, ...]:
    if len(items) > MOST_ITEMS:
        raise InvalidInput("items", f"At most {MOST_ITEMS} items can be named; choose by `which` instead.")
    strangers = [item for item in items if not 0 <= item < total]
    if strangers:
        raise InvalidInput("items", f"There is no item {strangers[0]}; there are 0 to {total - 1}.")
    return tuple(sorted(set(items)))


async def _freeze(context: Context, user: User, parent: Row[Any], asked: Retry) -> Frozen:
    """Return what the parent froze, with the secrets and the proxies of this moment."""
    old = msgspec.json.decode(parent.definition, type=Frozen)
    changed = msgspec.json.decode(parent.adjustments or "{}", type=Adjustments)
    definition = await context.database.read(_renew_secrets, user, parent, old.definition)
    definition = _give_secrets(context, definition, asked.execution_parameters or {})
    before = changed.proxy or definition.options.proxy
    if asked.proxy is None and before.type == "custom":
        choice, exits = before, old.exits if changed.exits is None else changed.exits
    else:
        choice, ways = await proxies.choose(context, user, asked.proxy or before)
        exits = [seal_exit(context, way) for way in ways]
    options = replace(definition.options, proxy=choice)
    return Frozen(definition=replace(definition, options=options), exits=exits)


def _renew_secrets(
    connection: Connection, user: User, parent: Row[Any], definition: Definition
) -> Definition:
    """Take secrets from the endpoint and the workflow as they are now, where both are still there.

    A secret that was given with the execution has no other place, and stays.
    """
    endpoint_row = definitions.find_endpoint(connection, user.id, definition.workflow.endpoint_id)
    workflow_row = definitions.find_workflow(connection, user.id, parent.workflow_id)
    endpoint, constants = definition.endpoint, dict(definition.constants)
    if endpoint_row is not None:
        endpoint = _take_defaults(endpoint, definitions.read_endpoint(endpoint_row))
    if workflow_row is not None:
        workflow = definitions.read_workflow(connection, workflow_row)
        constants |= _current(definition, workflow)
    return replace(definition, endpoint=endpoint, constants=constants)


def _take_defaults(old: Endpoint, new: Endpoint) -> Endpoint:
    """Return the endpoint as it was, with the default values that its secret variables have now."""
    fresh = {
        name: replace(variable, default=new.variables[name].default)
        for name, variable in old.variables.items()
        if variable.secret and name in new.variables
    }
    return replace(old, variables={**old.variables, **fresh})


def _current(definition: Definition, workflow: Workflow) -> dict[str, Json]:
    """Return the workflow's inputs for secret variables that were not given with the execution."""
    names = secret_names(definition.endpoint) - definition.parameters.keys()
    return {name: value for name, value in workflow.inputs.items() if name in names}


def secret_names(endpoint: Endpoint) -> set[str]:
    return {name for name, variable in endpoint.variables.items() if variable.secret}


def _give_secrets(context: Context, definition: Definition, given: Mapping[str, Json]) -> Definition:
    """Put in the secrets that the caller gives. Raises InvalidInput for anything else."""
    for name in given.keys() - secret_names(definition.endpoint):
        message = "Only secret variables can be given anew; all else is as it was."
        raise InvalidInput(f"execution_parameters.{name}", message)
    sealed = {name: context.vault.seal_value(value) for name, value in given.items()}
    return replace(
        definition,
        constants={**definition.constants, **sealed},
        parameters={**definition.parameters, **sealed},
    )


def _values(parent: Row[Any], choice: Choice, frozen: Frozen, asked: Retry) -> dict[str, Any]:
    """Return the row of the new execution."""
    limit = asked.maximum_requests_count or parent.maximum_requests_count
    changed = msgspec.json.decode(parent.adjustments or "{}", type=Adjustments)
    changed.proxy = changed.exits = None
    return {
        "id": str(uuid4()),
        "owner_id": parent.owner_id,
        "workflow_id": parent.workflow_id,
        "parent_id": parent.id,
        "choice": msgspec.json.encode(choice).decode(),
        "name": parent.name if asked.execution_name is None else asked.execution_name,
        "definition": msgspec.json.encode(frozen).decode(),
        "adjustments": msgspec.json.encode(changed).decode(),
        "parameters": parent.parameters,
        "created_at": now_ms(),
        "items_total": parent.items_total,
        "shard_size": parent.shard_size,
        "priority": asked.priority or parent.priority,
        "maximum_requests_count": limit,
        **(_limits(parent) if asked.limits is None else asked.limits.columns()),
    }


def _limits(parent: Row[Any]) -> dict[str, int | None]:
    names = ("maximum_rows", "maximum_bytes", "maximum_ms")
    return {name: getattr(parent, name) for name in names}
