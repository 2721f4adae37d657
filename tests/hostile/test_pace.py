"""What is told of an execution's pace."""

from tests.hostile.house import House
from tests.upstreams.scripted import Play, Scripted

from swath.flow.definition import Endpoint
from swath.operations import pace


async def test_answers_that_nobody_looked_into_take_no_rows_away(house: House, upstream: Scripted) -> None:
    """Their rows are not known while they come: they count as none, and never as fewer."""
    upstream.on("/x/*", Play.json({"results": [{"id": 1}, {"id": 2}]}))
    endpoint = Endpoint(name="x", url=f"{upstream.url}/x/{{{{n}}}}")
    execution_id = await house.begin(endpoint, inputs={"n": ["1", "2", "3"]})
    ended = await house.end(execution_id)
    told = await pace.show(house.context, house.user, execution_id)
    assert ended.view["counters"]["rows"] == 6
    assert sum(point["requests"] for point in told["points"]) == 3
    assert all(point["rows"] >= 0 for point in told["points"])
