"""Rows D1 to D5 of the hostile upstreams: what their data does to tables, through the whole engine."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from tests.hostile.house import Ended, House
from tests.upstreams.scripted import Play, Scripted

from swath.flow.definition import Endpoint, Filter, Workflow
from swath.operations.results import open_result

JSON = (("content-type", "application/json"),)


async def fetch(house: House, upstream: Scripted, bodies: list[bytes], **workflow: Any) -> Ended:
    """Fetch the bodies, each an item's; the files come as their bytes."""
    for number, body in enumerate(bodies):
        upstream.on(f"/{number}", [Play(headers=JSON, body=body)])
    endpoint = Endpoint(name="data", url=f"{upstream.url}/{{{{n}}}}")
    made = Workflow(name="data", endpoint_id="", include_inputs=False, **workflow)
    inputs = {"n": [str(number) for number in range(len(bodies))]}
    mine = await house.begin(endpoint, made, inputs, output_aggregation_format="csv")
    ended = await house.end(mine, lambda file: file["url"])
    return Ended(
        ended.view,
        ended.failures,
        ended.events,
        ended.manifest,
        {name: await read(house, url) for name, url in ended.files.items()},
    )


async def read(house: House, url: str) -> list[list[str]]:
    result = await open_result(house.context, *url.split("/")[-2:])
    text = b"".join([chunk async for chunk in result.stream(0, result.size)]).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def columns(ended: Ended, collection: str) -> Mapping[str, Any]:
    described = next(each for each in ended.manifest["collections"] if each["collection"] == collection)
    return {column["name"]: column for column in described["columns"]}


async def test_D1_odd_json(house: House, upstream: Scripted) -> None:
    """Numbers exactly as written; half characters and doubled keys are mended and counted; NUL is kept."""
    body = (
        b'\xef\xbb\xbf{"rows":[{"big":9223372036854775809,"long":0.123456789012345678901234567890,'
        b'"huge":1e400,"half":"\\ud800","nul":"\\u0000","twice":1,"twice":2}]}'
    )
    plain = await fetch(house, upstream, [b'{"rows":[{"twice":1,"twice":2}]}'])
    assert plain.view["warnings"] == ["At least 1 keys stood twice in an object; the last one won."]
    ended = await fetch(house, upstream, [body])
    assert ended.files["rows"] == [
        ["rows.big", "rows.long", "rows.huge", "rows.half", "rows.nul", "rows.twice"],
        ["9223372036854775809", "0.123456789012345678901234567890", "1e400", "\ufffd", "\0", "2"],
    ]
    told = " ".join(ended.view["warnings"])
    assert "1 half characters" in told
    assert "At least 1 keys stood twice" in told


async def test_D1_what_is_no_json_is_a_failed_item(house: House, upstream: Scripted) -> None:
    """NaN and the like are no JSON: the item fails with its body kept, the others' rows are there."""
    ended = await fetch(house, upstream, [b'{"rows":[{"a":1}]}', b'{"rows":[{"a":NaN}]}'])
    assert ended.files["rows"] == [["rows.a"], ["1"]]
    assert ended.status == "partially_failed"
    (line,) = ended.failures
    assert (line["item"], "NaN" in line["sample"]) == (1, True)
    assert ended.manifest["items_not_done"] == [{"item": 1, "stop_reason": "failed"}]
    assert ended.manifest["failures"] == [
        {"error_code": line["error_code"], "last_status": 200, "items": 1},
    ]


async def test_D2_keys_that_would_collide(house: House, upstream: Scripted) -> None:
    """Each keeps a column of its own, and the manifest says which path has which name."""
    keys = ["a.b", "A.b", 'q"', "n\nl", "c,d", "e[0]", ""]
    row: dict[str, Any] = {key: number for number, key in enumerate(keys)}
    row |= {"a": {"b": 7}, "e": [8]}
    ended = await fetch(house, upstream, [json.dumps({"rows": [row]}).encode()])
    header, cells = ended.files["rows"]
    assert len(set(header)) == len(header) == 9
    assert cells == [str(number) for number in range(9)]
    described = ended.manifest["collections"][0]
    assert described["renamed"] == [
        {"path": "rows.a.b", "name": "rows.a.b_2"},
        {"path": "rows.e[0]", "name": "rows.e[0]_2"},
    ]


async def test_D2_the_manifest_of_json_has_the_keys(house: House, upstream: Scripted) -> None:
    """A row's own key and one around it may be the same; the manifest says which is which."""
    upstream.on("/keys", Play.json({"id": 7, "rows": [{"id": 1}]}))
    execution = await house.begin(
        Endpoint(name="e", url=f"{upstream.url}/keys"), output_aggregation_format="json"
    )
    ended = await house.end(execution)
    rows, root = ended.manifest["collections"]
    assert [(each["path"], each["key"]) for each in rows["columns"]] == [("rows.id", "id"), ("id", "id_2")]
    assert [(each["path"], each["key"]) for each in root["columns"]] == [
        ("id", "id"),
        ("rows[0].id", "rows[0].id"),
    ]


async def test_D3_five_thousand_dynamic_keys(house: House, upstream: Scripted) -> None:
    """Rows of keys and values, not columns; the switch-over is said, and is a setting."""
    body = json.dumps({"by_id": {str(key): {"name": f"n{key}"} for key in range(5_000)}}).encode()
    ended = await fetch(house, upstream, [body])
    rows = ended.files["by_id"]
    assert (rows[0], rows[1], len(rows)) == (["by_id.key", "by_id.name"], ["0", "n0"], 5_001)
    assert ended.manifest["key_value_collections"] == ["by_id"]
    nested = {str(key): {f"{key}.{each}": each for each in range(3)} for key in range(3)}
    twice = await fetch(house, upstream, [json.dumps({"by_id": nested}).encode()], key_value_threshold=2)
    assert twice.manifest["key_value_collections"] == ["by_id"]
    assert (len(twice.view["warnings"]), len(twice.files["by_id"])) == (1, 10)
    assert any("rows of key and value" in warning for warning in ended.view["warnings"])
    wide = await fetch(house, upstream, [body], key_value_threshold=5_000)
    header, cells = wide.files["response"]
    assert wide.manifest["key_value_collections"] == []
    assert (len(header), header[-1]) == (2_000, "_more")
    assert [*cells[:-1], *json.loads(cells[-1]).values()] == [f"n{key}" for key in range(5_000)]


async def test_D4_a_field_of_every_kind(house: House, upstream: Scripted) -> None:
    """Null, scalar, object and list in turn: no value lost, none in another's column, all kinds told."""
    values = [None, 1, "x", {"k": 2}, [3, 4], [], True, 1.50]
    texts = ",".join(f'{{"n":{number},"v":{json.dumps(value)}}}' for number, value in enumerate(values))
    ended = await fetch(house, upstream, [f'{{"rows":[{texts}]}}'.encode()])
    header, *rows = ended.files["rows"]
    assert header == ["rows.n", "rows.v", "rows.v.k", "rows.v[0]"]
    cells = ["", "1", "x", "", "", "", "true", "1.5"]
    assert [row[:2] for row in rows] == [[str(number), cell] for number, cell in enumerate(cells)]
    assert (rows[3][2], rows[4][3]) == ("2", "3")
    assert [row[0] for row in ended.files["rows.v"][1:]] == ["3", "4"]
    told = columns(ended, "rows")["rows.v"]
    assert told["types"] == {"integer": 1, "string": 1, "boolean": 1, "number": 1}
    assert (told["nulls"], told["missing"]) == (1, 3)


async def test_D5_formulas(house: House, upstream: Scripted) -> None:
    """Exact by default; with an apostrophe where the workflow asks for it, in the header too."""
    body = json.dumps({"rows": [{"=h": "=1+1", "p": "+x", "m": "-2", "a": "@f", "t": "\tz"}]}).encode()
    exact = await fetch(house, upstream, [body])
    assert exact.files["rows"][1] == ["=1+1", "+x", "-2", "@f", "\tz"]
    guarded = await fetch(house, upstream, [body], spreadsheet_safe=True)
    assert guarded.files["rows"][1] == ["'=1+1", "'+x", "-2", "'@f", "'\tz"]


async def test_of_repeated_rows_the_first_stays_that_the_filters_leave(
    house: House, upstream: Scripted
) -> None:
    """A row that no filter lets through does not stand in the way of a later one with its key."""
    rows = [{"id": 1, "v": "old"}, {"id": 1, "v": "new"}, {"id": 1, "v": "newer"}]
    body = json.dumps({"rows": rows}).encode()
    kept = Filter(path="rows.v", op="!=", value="old")
    for within, bodies in (("item", [body]), ("execution", [body, body])):
        how = {"unique_by": "rows.id", "unique_within": within, "filters": (kept,)}
        ended = await fetch(house, upstream, bodies, **how)
        assert ended.files["rows"][1:] == [["1", "new"]]
        assert ended.manifest["duplicates"] == 2 * len(bodies) - 1


async def test_a_key_that_stands_in_an_object_of_the_row(house: House, upstream: Scripted) -> None:
    """As `edges.node.id` does; a key that no row has is told of."""
    edges = [{"node": {"id": number // 2}} for number in range(4)]
    body = json.dumps({"edges": edges}).encode()
    ended = await fetch(house, upstream, [body, body], unique_by="edges.node.id", unique_within="execution")
    assert ended.files["edges"][1:] == [["0"], ["1"]]
    assert ended.manifest["duplicates"] == 6
    ended = await fetch(house, upstream, [body], unique_by="edges.id")
    assert (len(ended.files["edges"]), ended.manifest["duplicates"]) == (5, 0)
    assert ended.view["warnings"] == ["No row has edges.id: unique_by tells none apart."]


async def test_a_primary_that_is_named_is_first_though_it_has_no_rows(
    house: House, upstream: Scripted
) -> None:
    """Whoever takes the first result for it does not get another table; a warning says so."""
    body = b'{"total":0,"rows":[]}'
    ended = await fetch(
        house, upstream, [body], primary_collection="rows", result_collections=("rows", "response", "x")
    )
    assert ended.files == {"rows": [], "response": [["total"], ["0"]]}
    assert [(file["name"], file["rows"]) for file in ended.view["results"]] == [
        ("rows.csv", 0),
        ("response.csv", 1),
    ]
    assert ended.view["warnings"] == [
        "The workflow names rows, which has no rows.",
        "The workflow names x, which has no rows.",
    ]
    chosen = {"rows": ("rows.id",)}
    ended = await fetch(house, upstream, [body], primary_collection="rows", children=False, columns=chosen)
    assert ended.files == {"rows": [["rows.id"]]}
    assert "There are no rows" in ended.view["warnings"][0]


async def test_no_rows_and_why(house: House, upstream: Scripted) -> None:
    """An execution that ends with nothing says whether nothing came, was let through, or was fetched."""
    told = []
    for workflow, body in (
        ({}, b'{"rows":[]}'),
        ({"filters": (Filter(path="a", value=2),)}, b'{"a":1}'),
        ({}, b"<html>"),
    ):
        ended = await fetch(house, upstream, [body], **workflow)
        assert ended.manifest["warnings"] == ended.view["warnings"]
        told.append(ended.view["warnings"][0])
    assert "the 1 pages that were fetched hold none" in told[0]
    assert "the filters dropped every response" in told[1]
    assert "no page was fetched" in told[2]


async def test_what_the_filters_drop_is_counted(house: House, upstream: Scripted) -> None:
    """A warning says so where they leave nothing of a list, also where something stands around it."""
    for path in ("rows.a", "$..a"):
        thin = {"filters": (Filter(path=path, op=">", value=1), Filter(path="page", op="!=", value=3))}
        bodies = [f'{{"page":{page},"rows":[{{"a":1}},{{"a":{page}}}]}}'.encode() for page in (1, 2, 3)]
        ended = await fetch(house, upstream, bodies, **thin)
        assert ended.files["rows"] == [["rows.a", "page"], ["2", "2"]]
        told = (ended.manifest["filtered_objects"], ended.manifest["filtered_responses"])
        assert told == (4, 1)
        assert ended.view["warnings"] == []
        ended = await fetch(house, upstream, bodies[:1], **thin)
        assert ended.files == {"response": [["page"], ["1"]]}
        assert "dropped all 2 objects" in ended.view["warnings"][0]
        ended = await fetch(house, upstream, [b'{"rows":[{"a":0}]}'], **thin)
        assert "the filters dropped 1 objects of 1 pages" in ended.view["warnings"][0]
