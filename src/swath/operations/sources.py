"""The lists of an execution's inputs: collections as they are now, and rows that another execution gave."""

from dataclasses import dataclass
from typing import Any

from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.checks import feeder_of
from swath.flow.definition import Axis, ResultColumn, ResultTable, VariableMapping, Workflow
from swath.flow.execution import TERMINAL
from swath.operations.executions import check_archive
from swath.store import chains, collections, executions, retention
from swath.store.database import Connection, Row


@dataclass
class Lists:
    """Looks up what the mappings of a workflow name, and pins it where it will be read.

    `source_id` is the execution whose rows are taken; left out: the newest that ended as the workflow wants.
    """

    connection: Connection
    owner_id: str
    workflow: Workflow
    source_id: str | None = None
    pin: bool = True
    #: The execution whose rows are taken, once it was needed.
    source: Row[Any] | None = None

    def __call__(self, mapping: VariableMapping) -> Axis:
        """Return the axis that a mapping's list makes. Raises Conflict for one that is gone."""
        if mapping.from_result is not None:
            return self._take_rows(mapping.from_result)
        row = collections.find(self.connection, mapping.source_collection_id or "")
        if row is None:
            raise Conflict("mappings", f"Collection {mapping.source_collection_id} of this workflow is gone.")
        if self.pin:
            collections.pin(self.connection, row.number, row.version)
        return Axis(count=row._mapping["count"], sources=(), snapshot=(row.number, row.version))

    def _take_rows(self, column: ResultColumn) -> Axis:
        self.source = self.source or self._find_source(column.workflow_id)
        revision = executions.last_revision(self.connection, self.source.id)
        if revision is None:
            raise Conflict("source_execution_id", f"Execution {self.source.id} came to no files.")
        table = ResultTable(execution_id=self.source.id, revision=revision, collection=column.collection)
        snapshot = chains.add_list(self.connection, self.owner_id, now_ms()) if self.pin else None
        return Axis(count=0, sources=(), snapshot=snapshot, result=table)

    def _find_source(self, workflow_id: str) -> Row[Any]:
        if self.source_id is not None:
            return self._check_source(workflow_id, self.source_id)
        ends = self.workflow.chain.after or ("succeeded",)
        found = chains.find_source(self.connection, self.owner_id, workflow_id, ends)
        if found is None:
            raise Conflict(
                "mappings",
                f"The workflow {workflow_id}, whose rows this one takes, has no execution that ended so: "
                f"{', '.join(ends)}. Execute that one first, or give the variables as execution_parameters.",
            )
        return found

    def _check_source(self, workflow_id: str, execution_id: str) -> Row[Any]:
        row = retention.lock(self.connection, execution_id)
        if row is None or row.owner_id != self.owner_id:
            raise NotFound("source_execution_id", "No execution of yours has this id.")
        if row.workflow_id != workflow_id:
            message = f"Is one of another workflow; this one takes the rows of {workflow_id}."
            raise InvalidInput("source_execution_id", message)
        if row.status not in TERMINAL:
            raise Conflict("source_execution_id", f"That execution has not ended, it is {row.status}.")
        check_archive(row)
        return row


def refuse_source(workflow: Workflow, source_id: str | None) -> None:
    """Raise InvalidInput for a source that a workflow has no use for."""
    if source_id is not None and feeder_of(workflow) is None:
        raise InvalidInput("source_execution_id", "This workflow takes no other's rows; leave it out.")
