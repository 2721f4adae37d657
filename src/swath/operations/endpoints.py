"""Endpoints: make, read, change and delete them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.checks import check_endpoint, names_of
from swath.flow.definition import Endpoint
from swath.operations.certificates import check_tls
from swath.operations.context import Context, User
from swath.operations.listing import Page, page_of, read_cursor
from swath.operations.secrets import seal_endpoint, seal_workflow
from swath.store import definitions
from swath.store.database import Connection, Row
from swath.store.schema import endpoints
from swath.store.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """A stored endpoint; its secrets are sealed. Times in milliseconds."""

    id: str
    endpoint: Endpoint
    #: All variables: those declared and those that the templates use.
    variable_names: list[str]
    created_at: int
    updated_at: int


async def create(context: Context, user: User, endpoint: Endpoint) -> EndpointView:
    """Keep a new endpoint. Raises InvalidInput with everything that is wrong with it."""
    endpoint_id = str(uuid4())
    await context.database.write(create_in, context.vault, user, endpoint_id, endpoint)
    return await show(context, user, endpoint_id)


def create_in(connection: Connection, vault: Vault, user: User, endpoint_id: str, new: Endpoint) -> None:
    """Keep a new endpoint as a part of a transaction."""
    _check(new)
    definitions.add_endpoint(connection, user.id, endpoint_id, seal_endpoint(vault, new), now_ms())


async def update(
    context: Context, user: User, endpoint_id: str, revise: Callable[[Endpoint], Endpoint]
) -> EndpointView:
    """Change an endpoint to what `revise` makes of it, and seal what became secret in its workflows."""
    await context.database.write(update_in, context.vault, user, endpoint_id, revise)
    return await show(context, user, endpoint_id)


def update_in(
    connection: Connection, vault: Vault, user: User, endpoint_id: str, revise: Callable[[Endpoint], Endpoint]
) -> None:
    """Change an endpoint as a part of a transaction."""
    old = definitions.read_endpoint(_own(connection, user, endpoint_id))
    new = revise(old)
    _check(new)
    sealed, now = seal_endpoint(vault, new, old), now_ms()
    definitions.set_endpoint(connection, endpoint_id, sealed, now)
    for row in definitions.find_workflows_of_endpoint(connection, endpoint_id):
        workflow = definitions.read_workflow(connection, row)
        guarded = seal_workflow(vault, workflow, sealed, workflow)
        if guarded != workflow:
            definitions.set_workflow(connection, row.id, guarded, now)


def _check(endpoint: Endpoint) -> None:
    findings = [*check_endpoint(endpoint), *(check_tls(endpoint.tls) if endpoint.tls else ())]
    if findings:
        raise InvalidInput(*findings[0], *findings[1:])


async def list_for(context: Context, user: User, *, limit: int, cursor: str | None) -> Page[EndpointView]:
    before = read_cursor(cursor)
    rows = await context.database.read(definitions.find_some, endpoints, user.id, before, limit + 1)
    return page_of(rows, limit, _view)


async def show(context: Context, user: User, endpoint_id: str) -> EndpointView:
    """Return one endpoint. Raises NotFound where it is unknown or another user's."""
    return _view(await context.database.read(_own, user, endpoint_id))


async def load(context: Context, user: User, endpoint_id: str) -> Endpoint:
    """Return an endpoint with its secrets sealed."""
    return definitions.read_endpoint(await context.database.read(_own, user, endpoint_id))


async def delete(context: Context, user: User, endpoint_id: str) -> None:
    """Delete an endpoint. Raises Conflict while a workflow is built on it."""
    await context.database.write(_delete, user, endpoint_id)


def _delete(connection: Connection, user: User, endpoint_id: str) -> None:
    _own(connection, user, endpoint_id)
    using = definitions.find_workflows_of_endpoint(connection, endpoint_id)
    if using:
        names = ", ".join(f"{workflow.name} ({workflow.id})" for workflow in using)
        raise Conflict("id", f"In use by the workflow {names}.")
    definitions.delete_endpoint(connection, endpoint_id)


def _own(connection: Connection, user: User, endpoint_id: str) -> Row[Any]:
    row = definitions.find_endpoint(connection, user.id, endpoint_id)
    if row is None:
        raise NotFound("id", "No endpoint of yours has this id.")
    return row


def _view(row: Row[Any]) -> EndpointView:
    endpoint = definitions.read_endpoint(row)
    return EndpointView(
        id=row.id,
        endpoint=endpoint,
        variable_names=_list_names(endpoint),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _list_names(endpoint: Endpoint) -> list[str]:
    """Return all variables; those declared only, where an update of ours no longer compiles the rest."""
    try:
        return sorted(names_of(endpoint))
    except InvalidInput:
        return sorted(endpoint.variables)
