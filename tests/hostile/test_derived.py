"""The results of one workflow as the inputs of another."""

import pytest
from tests.hostile.house import House
from tests.upstreams.scripted import Play, Scripted

from swath.errors import InvalidInput, NotFound
from swath.flow.definition import Endpoint, Workflow
from swath.operations import collections, derived
from swath.operations.derived import ResultColumns

ROWS = [{"id": 1, "name": "Ann"}, {"id": 2, "name": None}, {"id": 1, "name": "Bob"}]


@pytest.mark.parametrize("file_format", ["csv", "json"])
async def test_a_column_becomes_a_list_and_several_become_objects(
    house: House, upstream: Scripted, file_format: str
) -> None:
    """Each value once, none of an empty cell, whatever the format of the files is."""
    upstream.on("/users", Play.json({"results": ROWS}))
    known = house.context, house.user
    endpoint = Endpoint(name="e", url=upstream.url + "/users")
    execution = await house.begin(endpoint, output_aggregation_format=file_format)
    await house.end(execution, read=lambda content: content)

    async def fill(*columns: str) -> list[str]:
        made = await collections.create(*known, "Derived")
        source = ResultColumns(execution_id=execution, columns=columns)
        filled = await derived.fill(*known, made.id, source)
        assert filled.received + filled.blank == len(ROWS)
        _, values, _ = await collections.read_some(*known, made.id, limit=100, cursor=None)
        return values

    assert await fill("results.id") == ["1", "2"]
    assert await fill("results.name") == await fill("name") == ["Ann", "Bob"]
    assert len(await fill("results.id", "results.name")) == 3
    with pytest.raises(InvalidInput, match="did you mean"):
        await fill("result.id")
    made = await collections.create(*known, "Derived")
    with pytest.raises(NotFound):
        await derived.fill(
            *known, made.id, ResultColumns(execution_id=execution, columns=("a",), collection="nothing")
        )


@pytest.mark.parametrize("file_format", ["csv", "json"])
async def test_what_a_file_guards_is_itself_in_a_list(
    house: House, upstream: Scripted, file_format: str
) -> None:
    """The apostrophe that keeps a spreadsheet from running a text is the file's, not the value's."""
    upstream.on("/users", Play.json({"results": [{"phone": "+49 170"}, {"phone": "'=x"}]}))
    known = house.context, house.user
    made = Workflow(name="w", endpoint_id="", spreadsheet_safe=True)
    endpoint = Endpoint(name="e", url=upstream.url + "/users")
    execution = await house.begin(endpoint, made, output_aggregation_format=file_format)
    await house.end(execution, read=lambda content: content)
    items = await collections.create(*known, "Derived")
    await derived.fill(*known, items.id, ResultColumns(execution_id=execution, columns=("phone",)))
    _, values, _ = await collections.read_some(*known, items.id, limit=100, cursor=None)
    assert values[0] == "+49 170"


async def test_no_rows_make_no_items(house: House, upstream: Scripted) -> None:
    """Also where the table that the workflow names stands there, empty."""
    upstream.on("/users", Play.json({"total": 0, "results": []}))
    known = house.context, house.user
    made = Workflow(name="w", endpoint_id="", primary_collection="results")
    execution = await house.begin(Endpoint(name="e", url=upstream.url + "/users"), made)
    await house.end(execution, read=lambda content: content)
    items = await collections.create(*known, "Derived")
    filled = await derived.fill(*known, items.id, ResultColumns(execution_id=execution, columns=("id",)))
    assert (filled.received, filled.blank, filled.collection.count) == (0, 0, 0)
