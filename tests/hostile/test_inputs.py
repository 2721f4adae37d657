"""Inputs by rule, through the whole engine: what the upstream is asked for, and what rows came from."""

from tests.hostile.house import House
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.flow.definition import Batch, DateWindows, Endpoint, NumberRange, Workflow


async def test_ranges_windows_and_batches_become_requests(house: House, upstream: Scripted) -> None:
    """Numbers and windows multiply, values are joined; each row names its own."""

    def play(asked: Asked) -> Play:
        return Play.json({"results": [{"id": asked.query["ids"]}]})

    upstream.on("/items", play)
    endpoint = Endpoint(
        name="e",
        url=upstream.url + "/items",
        query={"ids": "{{ids}}", "year": "{{year}}", "since": "{{since}}", "until": "{{until}}"},
    )
    workflow = Workflow(
        name="w",
        endpoint_id="",
        batches={"ids": Batch(size=2, separator=";")},
        ranges=(NumberRange(variable="year", first=2023, last=2024),),
        date_windows=(
            DateWindows(
                from_variable="since",
                until_variable="until",
                first="2024-01-01",
                last="2024-03-01",
                step="1 month",
            ),
        ),
    )
    ended = await house.run(endpoint, workflow, inputs={"ids": ["a", "b", "c"]})
    assert (ended.status, ended.view["counters"]["items"]) == ("succeeded", 8)
    windows = [("2024-01-01", "2024-02-01"), ("2024-02-01", "2024-03-01")]
    wanted = [
        {"year": str(year), "since": since, "until": until, "ids": ids}
        for year in (2023, 2024)
        for since, until in windows
        for ids in ("a;b", "c")
    ]
    assert sorted(map(str, (dict(sorted(asked.query.items())) for asked in upstream.asked))) == sorted(
        map(str, (dict(sorted(each.items())) for each in wanted))
    )
    inputs = [row["input"] for row in ended.files["results"]]
    assert [{**each, "year": str(each["year"])} for each in inputs] == wanted
