"""How endpoints and workflows are kept: as JSON, with their mappings in a table of their own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, bindparam, delete, insert, select, update

from swath.flow.definition import Endpoint, ResultColumn, VariableMapping, Workflow
from swath.store.database import upsert
from swath.store.listing import newest_first, older
from swath.store.schema import collections, endpoints, formulas, mappings, workflows

# Built once: every trigger asks these, and building a statement costs as much as running it.
_ENDPOINT = select(endpoints).where(
    endpoints.c.id == bindparam("id"), endpoints.c.owner_id == bindparam("owner")
)
_WORKFLOW = select(workflows).where(
    workflows.c.id == bindparam("id"), workflows.c.owner_id == bindparam("owner")
)
_MAPPINGS = (
    select(mappings).where(mappings.c.workflow_id == bindparam("workflow")).order_by(mappings.c.position)
)


def find_some(
    connection: Connection, table: Table, owner_id: str, before: tuple[int, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return an owner's endpoints or workflows, newest first, older than `before`."""
    query = select(table).where(table.c.owner_id == owner_id)
    if before is not None:
        query = query.where(older(table, before))
    return connection.execute(query.order_by(*newest_first(table)).limit(limit)).all()


def find_named(connection: Connection, table: Table, owner_id: str, name: str) -> Sequence[Row[Any]]:
    """Return an owner's things of this very name, newest first."""
    query = select(table).where(table.c.owner_id == owner_id, table.c.name == name)
    if "deleted_at" in table.c:
        query = query.where(table.c.deleted_at.is_(None))
    return connection.execute(query.order_by(*newest_first(table))).all()


def find_names(connection: Connection, table: Table, owner_id: str) -> dict[str, str]:
    """Return id and name of all of an owner's things of one kind."""
    query = select(table.c.id, table.c.name).where(table.c.owner_id == owner_id)
    if "deleted_at" in table.c:
        query = query.where(table.c.deleted_at.is_(None))
    return {row.id: row.name for row in connection.execute(query)}


# --- endpoints


def find_endpoint(connection: Connection, owner_id: str, endpoint_id: str) -> Row[Any] | None:
    return connection.execute(_ENDPOINT, {"owner": owner_id, "id": endpoint_id}).first()


def read_endpoint(row: Row[Any]) -> Endpoint:
    """Return the endpoint of a row, its secrets sealed."""
    return msgspec.json.decode(row.definition, type=Endpoint)


def add_endpoint(
    connection: Connection, owner_id: str, endpoint_id: str, endpoint: Endpoint, now: int
) -> None:
    values = {"id": endpoint_id, "owner_id": owner_id, "created_at": now, **_endpoint_values(endpoint, now)}
    connection.execute(insert(endpoints).values(values))


def set_endpoint(connection: Connection, endpoint_id: str, endpoint: Endpoint, now: int) -> None:
    values = _endpoint_values(endpoint, now)
    connection.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(values))


def delete_endpoint(connection: Connection, endpoint_id: str) -> None:
    connection.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))


def find_workflows_of_endpoint(connection: Connection, endpoint_id: str) -> Sequence[Row[Any]]:
    query = select(workflows).where(workflows.c.endpoint_id == endpoint_id)
    return connection.execute(query.order_by(*newest_first(workflows))).all()


def _endpoint_values(endpoint: Endpoint, now: int) -> dict[str, Any]:
    return {"name": endpoint.name, "definition": _encode(endpoint), "updated_at": now}


# --- workflows


def find_workflow(connection: Connection, owner_id: str, workflow_id: str) -> Row[Any] | None:
    return connection.execute(_WORKFLOW, {"owner": owner_id, "id": workflow_id}).first()


def read_workflow(connection: Connection, row: Row[Any]) -> Workflow:
    """Return the workflow of a row with its mappings, its secrets sealed."""
    workflow = msgspec.json.decode(row.definition, type=Workflow)
    return replace(workflow, mappings=tuple(_find_mappings(connection, row.id)))


def add_workflow(
    connection: Connection, owner_id: str, workflow_id: str, workflow: Workflow, now: int
) -> None:
    values = {"id": workflow_id, "owner_id": owner_id, "created_at": now, **_workflow_values(workflow, now)}
    connection.execute(insert(workflows).values(values))
    _add_mappings(connection, workflow_id, workflow.mappings)


def set_workflow(connection: Connection, workflow_id: str, workflow: Workflow, now: int) -> None:
    values = _workflow_values(workflow, now)
    connection.execute(update(workflows).where(workflows.c.id == workflow_id).values(values))
    connection.execute(delete(mappings).where(mappings.c.workflow_id == workflow_id))
    _add_mappings(connection, workflow_id, workflow.mappings)


def delete_workflow(connection: Connection, workflow_id: str) -> None:
    """Delete a workflow and its mappings; its executions have a copy of everything."""
    connection.execute(delete(mappings).where(mappings.c.workflow_id == workflow_id))
    connection.execute(delete(formulas).where(formulas.c.workflow_id == workflow_id))
    connection.execute(delete(workflows).where(workflows.c.id == workflow_id))


def find_formula(connection: Connection, workflow_id: str) -> str | None:
    """Return the text that a workflow was last applied from."""
    return connection.execute(select(formulas.c.text).where(formulas.c.workflow_id == workflow_id)).scalar()


def set_formula(connection: Connection, workflow_id: str, text: str) -> None:
    row = upsert(connection, formulas, {"workflow_id": workflow_id, "text": text})
    connection.execute(row.on_conflict_do_update(index_elements=["workflow_id"], set_={"text": text}))


def find_sources(connection: Connection, owner_id: str, collection_ids: Iterable[str]) -> dict[str, str]:
    """Return id and kind of those of the collections that exist and are the owner's."""
    query = select(collections.c.id, collections.c.kind).where(
        collections.c.owner_id == owner_id,
        collections.c.id.in_(list(collection_ids)),
        collections.c.deleted_at.is_(None),
    )
    return {row.id: row.kind for row in connection.execute(query)}


def find_workflows_of_collection(connection: Connection, collection_id: str) -> Sequence[Row[Any, Any]]:
    query = select(workflows.c.id, workflows.c.name).distinct()
    query = query.join(mappings, mappings.c.workflow_id == workflows.c.id)
    return connection.execute(query.where(mappings.c.source_collection_id == collection_id)).all()


def find_followers(connection: Connection, owner_id: str, workflow_id: str) -> Sequence[Row[Any, Any, Any]]:
    """Return the workflows whose mappings take rows of a workflow, oldest first."""
    query = select(workflows.c.id, workflows.c.name, workflows.c.created_at).distinct()
    query = query.join(mappings, mappings.c.workflow_id == workflows.c.id)
    query = query.where(workflows.c.owner_id == owner_id, mappings.c.source_workflow_id == workflow_id)
    return connection.execute(query.order_by(workflows.c.created_at, workflows.c.id)).all()


def find_feeder(connection: Connection, workflow_id: str) -> str | None:
    """Return the workflow whose rows a workflow takes; None where it takes none."""
    query = select(mappings.c.source_workflow_id).where(
        mappings.c.workflow_id == workflow_id, mappings.c.source_workflow_id.is_not(None)
    )
    return connection.execute(query.limit(1)).scalar()


def _find_mappings(connection: Connection, workflow_id: str) -> list[VariableMapping]:
    return [
        VariableMapping(
            id=row.id,
            target_variable_name=row.target_variable_name,
            source_collection_id=row.source_collection_id,
            source_collection_json_key=row.source_collection_json_key,
            from_result=_read_column(row),
        )
        for row in connection.execute(_MAPPINGS, {"workflow": workflow_id})
    ]


def _read_column(row: Row[Any]) -> ResultColumn | None:
    if row.source_workflow_id is None:
        return None
    return ResultColumn(
        workflow_id=row.source_workflow_id, column=row.source_column, collection=row.source_table
    )


def _write_column(column: ResultColumn | None) -> dict[str, Any]:
    return {
        "source_workflow_id": column.workflow_id if column else None,
        "source_column": column.column if column else None,
        "source_table": column.collection if column else None,
    }


def _add_mappings(connection: Connection, workflow_id: str, given: Sequence[VariableMapping]) -> None:
    if not given:
        return
    rows = [
        {
            "id": mapping.id,
            "workflow_id": workflow_id,
            "position": position,
            "target_variable_name": mapping.target_variable_name,
            "source_collection_id": mapping.source_collection_id,
            "source_collection_json_key": mapping.source_collection_json_key,
            **_write_column(mapping.from_result),
        }
        for position, mapping in enumerate(given)
    ]
    connection.execute(insert(mappings), rows)


def _workflow_values(workflow: Workflow, now: int) -> Mapping[str, Any]:
    return {
        "name": workflow.name,
        "endpoint_id": workflow.endpoint_id,
        "definition": _encode(replace(workflow, mappings=())),
        "updated_at": now,
    }


def _encode(definition: Endpoint | Workflow) -> str:
    return msgspec.json.encode(definition).decode()
