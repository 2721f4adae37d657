"""The formulas that come with Swath, each against a server that answers in the shape of the real API."""

import re
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from tests.hostile.house import House
from tests.hostile.shapes import SHAPES
from tests.upstreams.scripted import Scripted

from swath.flow.formula import SourceText, read_formula
from swath.operations import formulas, rows, triggers

FOLDER = Path(__file__).parents[2] / "formulas"
HOST = re.compile(r"https://[a-z0-9.-]+(?=/)")


@pytest.mark.parametrize("name", sorted(SHAPES))
async def test_formulas_bring_what_they_promise(house: House, upstream: Scripted, name: str) -> None:
    """As many requests as pages, asked for as the API wants them, and one flat table out."""
    shape = SHAPES[name]
    upstream.on("/*", shape.answer)
    text = HOST.sub(upstream.url, (FOLDER / f"{name}.yaml").read_text())
    applied = await formulas.apply(house.context, house.user, SourceText(text))
    (first,) = read_formula(text).first
    wish = triggers.Trigger(output_aggregation_format="json")
    execution = await triggers.trigger(house.context, house.user, str(applied.workflows[first]), wish)
    while (ended := await house.end(execution)).view["started"]:
        (execution,) = ended.view["started"]
    counters = ended.view["counters"]
    assert (ended.status, counters["items"], ended.attempts) == ("succeeded", shape.items, shape.requests)
    found = await rows.look(house.context, house.user, execution, None, 0, 100)
    assert (found["collection"], found["total"]) == (shape.collection, shape.rows)
    assert set(shape.columns) <= set(found["columns"])
    asked = [unquote_plus(each.target) for each in upstream.asked]
    assert unquote_plus(shape.first) in asked
