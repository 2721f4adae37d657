"""What a formula's workflow refers to: by name within the formula, by name or id among what is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from swath.errors import InvalidInput
from swath.flow.definition import ResultColumn, VariableMapping, Workflow
from swath.flow.formula.hints import nearest
from swath.operations.context import User
from swath.store import definitions, schema
from swath.store.database import Connection


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id of everything that a workflow may refer to; those of the formula itself come first."""

    endpoints: Mapping[str, str]
    collections: Mapping[str, str]
    workflows: Mapping[str, str]
    own_endpoints: Mapping[str, str]
    own_collections: Mapping[str, str]
    own_workflows: Mapping[str, str]

    @classmethod
    def of(
        cls,
        connection: Connection,
        user: User,
        endpoints: Mapping[str, str],
        collections: Mapping[str, str],
        workflows: Mapping[str, str],
    ) -> "Names":
        """Gather all names of a user; those of the formula are given, with their ids."""
        kept = (schema.endpoints, schema.collections, schema.workflows)
        named = [definitions.find_names(connection, table, user.id) for table in kept]
        return cls(named[0], named[1], named[2], endpoints, collections, workflows)

    def name(self, workflow: Workflow) -> Workflow:
        """Return a workflow that refers by names where it refers by ids."""
        mappings = tuple(
            replace(
                each,
                source_collection_id=_called(self.collections, each.source_collection_id),
                from_result=self._column(each.from_result),
            )
            for each in workflow.mappings
        )
        endpoint = self.endpoints.get(workflow.endpoint_id, workflow.endpoint_id)
        return replace(workflow, endpoint_id=endpoint, mappings=mappings)

    def _column(self, column: ResultColumn | None) -> ResultColumn | None:
        if column is None:
            return None
        own = {thing_id: name for name, thing_id in self.own_workflows.items()}
        known = {**self.workflows, **own}
        return replace(column, workflow_id=known.get(column.workflow_id, column.workflow_id))


def _called(names: Mapping[str, str], thing_id: str | None) -> str | None:
    return None if thing_id is None else names.get(thing_id, thing_id)


def resolve(names: Names, written: Workflow) -> Workflow:
    """Return a workflow that refers by ids. Raises InvalidInput with all that is not there."""
    wrong: list[tuple[str, str]] = []
    endpoint, mappings = written.endpoint_id, []
    try:
        endpoint = _find("endpoint", "endpoint", endpoint, names.own_endpoints, names.endpoints)
    except InvalidInput as error:
        wrong += error.fields
    for number, each in enumerate(written.mappings):
        try:
            mappings.append(_resolve_mapping(names, f"mappings[{number}]", each))
        except InvalidInput as error:
            wrong += error.fields
    if wrong:
        raise InvalidInput(*wrong[0], *wrong[1:])
    return replace(written, endpoint_id=endpoint, mappings=tuple(mappings))


def _resolve_mapping(names: Names, place: str, written: VariableMapping) -> VariableMapping:
    source, column = written.source_collection_id, written.from_result
    if source is not None:
        field = f"{place}.source_collection"
        source = _find(field, "collection", source, names.own_collections, names.collections)
    if column is not None:
        field, own = f"{place}.from_result.workflow", names.own_workflows
        feeder = _find(field, "workflow", column.workflow_id, own, names.workflows)
        column = replace(column, workflow_id=feeder)
    return replace(written, source_collection_id=source, from_result=column)


def _find(field: str, kind: str, wanted: str, own: Mapping[str, str], kept: Mapping[str, str]) -> str:
    if wanted in own:
        return own[wanted]
    if wanted in kept:
        return wanted
    found = [thing_id for thing_id, name in kept.items() if name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(field, f"Several of yours are named {wanted!r}: {', '.join(found)}. Give the id.")
    known = {*own, *kept.values()}
    raise InvalidInput(field, f"There is no {kind} {wanted!r}, here or kept{nearest(wanted, known)}")
