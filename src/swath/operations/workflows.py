"""Workflows: make, read, change and delete them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.checks import RING, check_workflow, feeder_of
from swath.flow.definition import Endpoint, VariableMapping, Workflow
from swath.flow.masking import MASK
from swath.operations import executions
from swath.operations.context import Context, User
from swath.operations.listing import Page, page_of, read_cursor
from swath.operations.secrets import seal_workflow
from swath.store import definitions
from swath.store.database import Connection, Row
from swath.store.schema import workflows
from swath.store.vault import Vault, is_sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowView:
    """A stored workflow; its secrets are sealed. Times in milliseconds."""

    id: str
    workflow: Workflow
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowLine:
    """A workflow as it stands in a list."""

    id: str
    name: str
    endpoint_id: str
    created_at: int
    updated_at: int


async def create(context: Context, user: User, workflow: Workflow) -> WorkflowView:
    """Keep a new workflow. Raises InvalidInput with everything that is wrong with it."""
    workflow_id = str(uuid4())
    await context.database.write(create_in, context.vault, user, workflow_id, workflow)
    return await show(context, user, workflow_id)


def create_in(connection: Connection, vault: Vault, user: User, workflow_id: str, new: Workflow) -> None:
    """Keep a new workflow as a part of a transaction."""
    endpoint = _check(connection, user, workflow_id, new)
    workflow = replace(seal_workflow(vault, new, endpoint), mappings=_name_mappings(new))
    definitions.add_workflow(connection, user.id, workflow_id, workflow, now_ms())


async def update(
    context: Context, user: User, workflow_id: str, revise: Callable[[Workflow], Workflow]
) -> WorkflowView:
    """Change a workflow to what `revise` makes of it; executions that were triggered keep what they have."""
    await context.database.write(update_in, context.vault, user, workflow_id, revise)
    return await show(context, user, workflow_id)


def update_in(
    connection: Connection, vault: Vault, user: User, workflow_id: str, revise: Callable[[Workflow], Workflow]
) -> None:
    """Change a workflow as a part of a transaction."""
    old = definitions.read_workflow(connection, own(connection, user, workflow_id))
    new = revise(old)
    endpoint = _check(connection, user, workflow_id, new)
    mappings = _name_mappings(new, old.mappings)
    workflow = replace(seal_workflow(vault, new, endpoint, old), mappings=mappings)
    definitions.set_workflow(connection, workflow_id, workflow, now_ms())


def _check(connection: Connection, user: User, workflow_id: str, workflow: Workflow) -> Endpoint:
    """Return the workflow's endpoint. Raises NotFound for what is not there, InvalidInput for the rest."""
    row = definitions.find_endpoint(connection, user.id, workflow.endpoint_id)
    if row is None:
        raise NotFound("endpoint_id", "No endpoint of yours has this id.")
    named = {mapping.source_collection_id for mapping in workflow.mappings if mapping.source_collection_id}
    kinds = definitions.find_sources(connection, user.id, named)
    missing = [*_find_missing(connection, user, workflow, kinds)]
    if missing:
        raise NotFound(*missing[0], *missing[1:])
    endpoint = definitions.read_endpoint(row)
    findings = [
        *check_workflow(workflow, endpoint),
        *_check_keys(workflow, kinds),
        *_find_ring(connection, workflow_id, workflow),
    ]
    if findings:
        raise InvalidInput(*findings[0], *findings[1:])
    return endpoint


def _find_missing(
    connection: Connection, user: User, workflow: Workflow, kinds: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the mappings whose collection or workflow is not there."""
    for number, mapping in enumerate(workflow.mappings):
        source, column = mapping.source_collection_id, mapping.from_result
        if source and source not in kinds:
            yield f"mappings[{number}].source_collection_id", "No collection of yours has this id."
        if column and not definitions.find_workflow(connection, user.id, column.workflow_id):
            yield f"mappings[{number}].from_result.workflow_id", "No workflow of yours has this id."


def _find_ring(connection: Connection, workflow_id: str, workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Yield the mapping by which a workflow would in the end wait for itself."""
    feeder, seen = feeder_of(workflow), set[str]()
    while feeder is not None and feeder not in seen and feeder != workflow_id:
        seen.add(feeder)
        feeder = definitions.find_feeder(connection, feeder)
    if feeder == workflow_id:
        number = next(n for n, mapping in enumerate(workflow.mappings) if mapping.from_result)
        yield f"mappings[{number}].from_result.workflow_id", RING


def _check_keys(workflow: Workflow, kinds: dict[str, str]) -> Iterator[tuple[str, str]]:
    for number, mapping in enumerate(workflow.mappings):
        kind = kinds.get(mapping.source_collection_id or "")
        if mapping.source_collection_json_key is not None and kind == "text":
            message = "The collection holds texts, which have no keys; leave it out or give null."
            yield f"mappings[{number}].source_collection_json_key", message


def _name_mappings(workflow: Workflow, old: tuple[VariableMapping, ...] = ()) -> tuple[VariableMapping, ...]:
    """Give every mapping an id: one of the workflow's own stays, any other is made anew."""
    free = {mapping.id for mapping in old}
    named = []
    for mapping in workflow.mappings:
        kept = mapping.id in free
        free.discard(mapping.id)
        named.append(mapping if kept else replace(mapping, id=str(uuid4())))
    return tuple(named)


def inherit(new: Workflow, old: Workflow | None) -> Workflow:
    """Return a workflow with what no formula says: the ids of mappings, and inputs that are kept sealed."""
    if old is None:
        return new
    ids = {mapping.target_variable_name: mapping.id for mapping in old.mappings}
    mappings = tuple(replace(each, id=ids.get(each.target_variable_name, "")) for each in new.mappings)
    sealed = {name: MASK for name, value in old.inputs.items() if is_sealed(value)}
    return replace(new, mappings=mappings, inputs={**sealed, **new.inputs})


async def list_for(context: Context, user: User, *, limit: int, cursor: str | None) -> Page[WorkflowLine]:
    before = read_cursor(cursor)
    rows = await context.database.read(definitions.find_some, workflows, user.id, before, limit + 1)
    return page_of(rows, limit, _line)


async def show(context: Context, user: User, workflow_id: str) -> WorkflowView:
    """Return one workflow. Raises NotFound where it is unknown or another user's."""
    return await context.database.read(_show, user, workflow_id)


def _show(connection: Connection, user: User, workflow_id: str) -> WorkflowView:
    row = own(connection, user, workflow_id)
    workflow = definitions.read_workflow(connection, row)
    return WorkflowView(id=row.id, workflow=workflow, created_at=row.created_at, updated_at=row.updated_at)


async def load(context: Context, user: User, workflow_id: str) -> tuple[Workflow, Endpoint]:
    """Return a workflow and its endpoint, their secrets sealed."""
    return await context.database.read(load_in, user, workflow_id)


def load_in(connection: Connection, user: User, workflow_id: str) -> tuple[Workflow, Endpoint]:
    """Return a workflow and its endpoint as a part of a transaction."""
    workflow = definitions.read_workflow(connection, own(connection, user, workflow_id))
    row = definitions.find_endpoint(connection, user.id, workflow.endpoint_id)
    assert row is not None  # a foreign key holds it
    return workflow, definitions.read_endpoint(row)


async def delete(context: Context, user: User, workflow_id: str) -> None:
    """Delete a workflow and cancel its executions; those that have ended stay readable.

    Raises Conflict while another workflow takes its rows.
    """
    await context.database.write(_delete, user, workflow_id)
    await executions.cancel_of_workflow(context, user, workflow_id)


def _delete(connection: Connection, user: User, workflow_id: str) -> None:
    own(connection, user, workflow_id)
    if followers := definitions.find_followers(connection, user.id, workflow_id):
        names = ", ".join(f"{each.name} ({each.id})" for each in followers)
        raise Conflict("id", f"Its rows are taken by the workflow {names}; delete that one first.")
    definitions.delete_workflow(connection, workflow_id)


def own(connection: Connection, user: User, workflow_id: str) -> Row[Any]:
    """Return the row of a user's workflow. Raises NotFound."""
    row = definitions.find_workflow(connection, user.id, workflow_id)
    if row is None:
        raise NotFound("id", "No workflow of yours has this id.")
    return row


def _line(row: Row[Any]) -> WorkflowLine:
    return WorkflowLine(
        id=row.id,
        name=row.name,
        endpoint_id=row.endpoint_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
