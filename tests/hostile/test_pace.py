"""What is told of an execution's pace."""

import asyncio
import threading

from tests.hostile.house import PATIENCE, House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.flow.definition import Endpoint, Paginator, Workflow
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


async def test_rows_are_counted_while_an_execution_runs(house: House, upstream: Scripted) -> None:
    """Those of each page's records, with its checkpoint; at the end those of all files."""
    go_on = threading.Event()

    async def play(asked: Asked) -> Play:
        if asked.number > 2:
            await asyncio.to_thread(go_on.wait, PATIENCE)
        return page(rows(2 * asked.number, 2) if asked.number < 4 else [])

    upstream.on("/x", play)
    endpoint = Endpoint(name="x", url=f"{upstream.url}/x", query={"page": "{{page}}"})
    paginator = Paginator(type="page_number", variable="page")
    execution_id = await house.begin(endpoint, Workflow(name="w", endpoint_id="", paginator=paginator))
    async with asyncio.timeout(PATIENCE):
        while (counters := (await house.show(execution_id))["counters"])["pages"] < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # a checkpoint is told to nobody here
    assert counters["rows"] == 4
    go_on.set()
    assert (await house.end(execution_id)).view["counters"]["rows"] == 6
