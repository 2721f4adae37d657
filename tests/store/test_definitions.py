"""How endpoints and workflows are kept."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swath.flow.definition import (
    Body,
    Endpoint,
    Filter,
    GraphQL,
    Paginator,
    ResponseRule,
    Variable,
    VariableMapping,
    Workflow,
)
from swath.store import collections, definitions, users
from swath.store.database import Connection, Database
from swath.store.schema import endpoints

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)
names = st.text(min_size=1, max_size=5)
stored_endpoints = st.builds(
    Endpoint,
    name=names,
    url=names,
    query=st.dictionaries(names, json, max_size=2),
    body=st.none() | st.builds(Body, json=json, graphql=st.none() | st.builds(GraphQL, query=names)),
    variables=st.dictionaries(names, st.builds(Variable, default=json, secret=st.booleans()), max_size=2),
)


def add_owner(connection: Connection) -> None:
    for name in ("ann", "bob"):
        users.add_user(connection, {"id": name, "name": name, "admin": False, "created_at": 0})


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(stored_endpoints)
def test_an_endpoint_comes_back_as_it_was(database: Database, endpoint: Endpoint) -> None:
    """Whatever a definition holds, nothing of it is lost or changes its type."""

    def round_trip(connection: Connection) -> Endpoint:
        if users.find_user(connection, "ann") is None:
            add_owner(connection)
        connection.execute(endpoints.delete())
        definitions.add_endpoint(connection, "ann", "e", endpoint, 1)
        row = definitions.find_endpoint(connection, "ann", "e")
        assert row is not None
        return definitions.read_endpoint(row)

    assert database.write_now(round_trip) == endpoint


def test_a_workflow_comes_back_with_its_mappings_in_order(database: Database) -> None:
    """Mappings stand in a table of their own; their order decides the order of the product."""

    def story(connection: Connection) -> tuple[Workflow, Workflow]:
        add_owner(connection)
        definitions.add_endpoint(connection, "ann", "e", Endpoint(name="e", url="http://h/"), 1)
        for name in "ab":
            collections.add(
                connection, {"id": name, "owner_id": "ann", "name": name, "kind": "", "created_at": 1}
            )
        mappings = tuple(
            VariableMapping(id=f"m-{name}", target_variable_name=name, source_collection_id=name)
            for name in "ba"
        )
        workflow = Workflow(
            name="w",
            endpoint_id="e",
            mappings=mappings,
            inputs={"n": 1.5, "deep": {"a": [None, True]}},
            paginator=Paginator(type="cursor", stop_when=Filter(path="a", op=">", value=3)),
            response_rules=(ResponseRule(action="retry", status=(429, "5xx")),),
        )
        definitions.add_workflow(connection, "ann", "w", workflow, 2)
        definitions.set_workflow(connection, "w", workflow, 3)
        row = definitions.find_workflow(connection, "ann", "w")
        assert row is not None
        assert definitions.find_workflow(connection, "bob", "w") is None
        return workflow, definitions.read_workflow(connection, row)

    kept, found = database.write_now(story)
    assert found == kept
