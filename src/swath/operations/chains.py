"""What follows on an execution: the workflows that take its rows, queued in the transaction that ends it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec
import structlog

from swath.engine.ending import Follow
from swath.engine.frozen import Adjustments, Frozen
from swath.errors import FieldError
from swath.flow.definition import Definition, Json, Workflow
from swath.flow.execution import Status
from swath.operations import triggers, workflows
from swath.operations.context import User
from swath.store import definitions, executions, ledger
from swath.store.database import Connection, Row
from swath.store.vault import Vault, is_sealed

log = structlog.get_logger()


def follow(vault: Vault) -> Follow:
    """Return what queues the executions that an execution's end starts."""

    def start(connection: Connection, row: Row[Any], status: Status, now: int) -> None:
        followers = definitions.find_followers(connection, row.owner_id, row.workflow_id)
        whole = executions.find_whole(connection, row.id) if followers else None
        if whole is None:
            return
        frozen = msgspec.json.decode(whole.definition, type=Frozen)
        for follower in followers if frozen.definition.options.chain else ():
            told = _start(connection, vault, row, frozen, follower.id, status, now)
            kind = "chain_started" if "execution" in told else "chain_not_started"
            named = {"workflow": follower.id, "name": follower.name, **told}
            ledger.record_event(connection, row.id, kind, named, now)

    return start


def _start(
    connection: Connection,
    vault: Vault,
    row: Row[Any],
    frozen: Frozen,
    workflow_id: str,
    status: Status,
    now: int,
) -> dict[str, Json]:
    """Queue an execution of one workflow; return which one, or why there is none."""
    user = User(row.owner_id, "", False)
    try:
        workflow, endpoint = workflows.load_in(connection, user, workflow_id)
        if status not in workflow.chain.after:
            return {"reason": f"It ended as {status}; that is not what starts this workflow."}
        secret = {name for name, variable in endpoint.variables.items() if variable.secret}
        handed = hand_on(workflow, frozen.definition, secret)
        changed = msgspec.json.decode(row.adjustments or "{}", type=Adjustments)
        exits = frozen.exits if changed.exits is None else changed.exits
        options = replace(frozen.definition.options, proxy=changed.proxy or frozen.definition.options.proxy)
        definition = triggers.define(vault, workflow, endpoint, handed, options)
        values = {
            **_inherit(row),
            "id": str(uuid4()),
            "workflow_id": workflow_id,
            "created_at": now,
            "source_id": row.id,
            "triggered_by": row.id,
            "definition": Frozen(definition=definition, exits=exits),
            "parameters": handed,
        }
        with connection.begin_nested():
            triggers.insert(connection, values)
        return {"execution": values["id"]}
    except FieldError as error:
        return {"reason": str(error)}
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        log.exception("chain_failed", execution=row.id, workflow=workflow_id)
        return {"reason": f"Something went wrong on our side: {type(error).__name__}."}


def hand_on(workflow: Workflow, feeder: Definition, secret: set[str]) -> dict[str, Json]:
    """Return the parameters of an execution that its follower gets; secret ones stay sealed, and secret."""
    fed = {mapping.target_variable_name for mapping in workflow.mappings if mapping.from_result}
    wanted = workflow.chain.parameters
    return {
        name: value
        for name, value in feeder.parameters.items()
        if name not in fed
        and (not isinstance(value, list) if wanted is None else name in wanted)
        and (name in secret or not is_sealed(value))
    }


#: What of an execution's row its follower has as well.
INHERITED = (
    "owner_id",
    "name",
    "priority",
    "maximum_requests_count",
    "maximum_rows",
    "maximum_bytes",
    "maximum_ms",
)


def _inherit(row: Row[Any]) -> Mapping[str, Any]:
    return {name: row._mapping[name] for name in INHERITED}
