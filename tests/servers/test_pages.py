"""Every row of servers that nobody here wrote arrives, whatever way they divide their lists."""

from dataclasses import replace
from typing import Any

import pytest
from tests.acceptance.server import Server
from tests.servers.cases import CASES, GRAPHQL, NUMBERED, Case, in_connection, in_sqlite, tables
from tests.servers.harness import (
    Ended,
    expect,
    in_cell,
    in_csv,
    names_of,
    prefix,
    read_column,
    read_csv,
    read_json,
    run,
)

DONE = {"complete", "empty_page"}


def case_of(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def succeeded(ended: Ended, items: int) -> bool:
    done = ended.execution["status"] == "succeeded" and ended.failures == []
    return done and set(ended.reasons) <= DONE and sum(ended.reasons.values()) == items


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_row_arrives(case: Case, server: Server, request: pytest.FixtureRequest) -> None:
    """Both files hold the rows of each item, in the server's order and with the server's values."""
    table, values = run(server, case, request.getfixturevalue(case.server), "csv", "json")
    assert succeeded(table, len(case.items))
    assert succeeded(values, len(case.items))
    expected = expect(case, {item: case.rows(item) for item in case.items})
    own = names_of(expected)
    assert read_json(case, values.files[f"{case.collection}.json"], own) == expected
    assert read_csv(case, table.files[f"{case.collection}.csv"], own) == in_csv(expected, own)
    check_tags(case, table)


def check_tags(case: Case, table: Ended) -> None:
    """The lists inside of rows are tables of their own, which know their rows."""
    tags, key = f"{prefix(case)}{case.record}tags", f"{prefix(case)}{case.record}id"
    readings = [dig(row, case.record) for item in case.items for row in case.rows(item)]
    expected = [(tag, in_cell(row["id"])) for row in readings for tag in row["tags"]]
    assert read_column(table.files[f"{tags}.csv"], tags, key) == expected


def dig(row: dict[str, Any], path: str) -> dict[str, Any]:
    for key in filter(None, path.split(".")):
        row = row[key]
    return row


def test_the_pages_of_bare_lists_are_all_asked_for(server: Server, datasette: str) -> None:
    """Datasette's own shape: rows are lists, and arrays beside them hold objects on the first page only."""
    endpoint = tables({"_json": []})
    case = replace(case_of("datasette-next-url"), name="lists", endpoint=endpoint)
    (ended,) = run(server, case, datasette, "csv")
    assert succeeded(ended, len(case.items))
    rows = [(item, row) for item in case.items for row in in_sqlite(item)]
    cells = read_column(ended.files["rows.csv"], "input.station", "rows")
    ids = [(item, in_cell(row["id"])) for item, row in rows]
    assert cells[:: len(rows[0][1])] == ids


def test_a_list_that_repeats_its_last_page_is_whole_but_flagged(server: Server, json_server_1: str) -> None:
    """json-server 1 gives its last page again to who asks for one beyond; without a total that is a loop."""
    case = case_of("json-server-1-page-number")
    counted = {"type": "page_number", "variable": "page"}
    (ended,) = run(server, replace(case, endpoint=NUMBERED, paginator=counted), json_server_1, "json")
    expected = expect(case, {item: case.rows(item) for item in case.items})
    assert read_json(case, ended.files["data.json"], names_of(expected)) == expected
    assert ended.execution["status"] == "partially_failed"
    assert ended.reasons == {"loop_detected": len(case.items) - 1, "empty_page": 1}
    assert {line["error_code"] for line in ended.failures} == {"loop_detected"}


def test_an_error_in_a_graphql_answer_fails_its_item_only(server: Server, strawberry: str) -> None:
    """Strawberry answers 200 to who asks for too many; sizes from a list of texts are sent as numbers."""
    station = "Zürich HB"
    endpoint = {**GRAPHQL, "variables": {"size": {"type": "integer"}, "station": {"default": station}}}
    graphql = GRAPHQL["body"]["graphql"]
    variables = {**graphql["variables"], "first": "{{size}}"}
    endpoint["body"] = {"graphql": {**graphql, "variables": variables}}
    sizes = replace(
        case_of("strawberry-connection"), endpoint=endpoint, variable="size", items=("10", "1000", "63")
    )
    (ended,) = run(server, sizes, strawberry, "json")
    rows = in_connection(station)
    expected = expect(sizes, {"10": rows, "1000": [], "63": rows})
    assert read_json(sizes, ended.files["data.readings.edges.json"], names_of(expected)) == expected
    (line,) = ended.failures
    assert (line["inputs"], line["error_code"], line["last_status"]) == ({"size": "1000"}, "error_body", 200)
    assert "cannot be higher than 100" in line["message"]
