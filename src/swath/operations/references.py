"""What a formula's workflow refers to: by name within the formula, by name or id among what is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from swath.errors import InvalidInput
from swath.flow.definition import Workflow
from swath.flow.formula.hints import nearest
from swath.operations.context import User
from swath.store import definitions, schema
from swath.store.database import Connection


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id of everything that a workflow may refer to; those of the formula itself come first."""

    endpoints: Mapping[str, str]
    collections: Mapping[str, str]
    own_endpoints: Mapping[str, str]
    own_collections: Mapping[str, str]

    @classmethod
    def of(
        cls, connection: Connection, user: User, endpoints: Mapping[str, str], collections: Mapping[str, str]
    ) -> "Names":
        """Gather all names of a user; those of the formula are given, with their ids."""
        return cls(
            definitions.find_names(connection, schema.endpoints, user.id),
            definitions.find_names(connection, schema.collections, user.id),
            endpoints,
            collections,
        )

    def name(self, workflow: Workflow) -> Workflow:
        """Return a workflow that refers by names where it refers by ids."""
        mappings = tuple(
            replace(each, source_collection_id=self._collection(each.source_collection_id))
            for each in workflow.mappings
        )
        endpoint = self.endpoints.get(workflow.endpoint_id, workflow.endpoint_id)
        return replace(workflow, endpoint_id=endpoint, mappings=mappings)

    def _collection(self, collection_id: str) -> str:
        return self.collections.get(collection_id, collection_id)


def resolve(names: Names, written: Workflow) -> Workflow:
    """Return a workflow that refers by ids. Raises InvalidInput for what is not there."""
    mappings = tuple(
        replace(
            each,
            source_collection_id=_find(
                f"mappings[{number}].source_collection",
                "collection",
                each.source_collection_id,
                names.own_collections,
                names.collections,
            ),
        )
        for number, each in enumerate(written.mappings)
    )
    endpoint = _find("endpoint", "endpoint", written.endpoint_id, names.own_endpoints, names.endpoints)
    return replace(written, endpoint_id=endpoint, mappings=mappings)


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
