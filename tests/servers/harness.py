"""A case through Swath: defined over its REST API, triggered, waited for, downloaded and read."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.acceptance.server import Server
from tests.servers.cases import BARE, Case, Rows

#: A row's own cells by their path within the row.
Cells = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """An execution that has ended, its files by their names, and what it left undone."""

    execution: Mapping[str, Any]
    files: Mapping[str, bytes]
    failures: list[Any]

    @property
    def reasons(self) -> dict[str, int]:
        found: dict[str, int] = self.execution["counters"]["stop_reasons"]
        return found


def define(server: Server, case: Case, base: str) -> str:
    """Define a case's endpoint, list and workflow; return the workflow's id."""
    endpoint = {**case.endpoint, "url": case.endpoint["url"].replace("{base}", base), "name": case.name}
    collection = server.post("/collections", {"name": case.name, "items": case.items})
    mapping = {"target_variable_name": case.variable, "source_collection_id": collection["id"]}
    workflow = {
        "name": case.name,
        "endpoint_id": server.post("/endpoints", endpoint)["id"],
        "mappings": [mapping],
        "paginator": case.paginator,
    }
    return str(server.post("/workflows", workflow)["id"])


def run(server: Server, case: Case, base: str, *formats: str) -> list[Ended]:
    """Run a case once for each format, all at the same time."""
    workflow = define(server, case, base)
    runs = [server.trigger(workflow, output_aggregation_format=each) for each in formats]
    return [end(server, each) for each in runs]


def end(server: Server, execution_id: str) -> Ended:
    execution = server.wait(execution_id)
    failures = server.get(f"/workflows/executions/{execution_id}/failures")["objects"]
    return Ended(execution, server.download(execution), failures)


def expect(case: Case, rows: Mapping[str, Rows]) -> list[tuple[str, Cells]]:
    """Return each item's rows as cells, in the order of the items."""
    return [(item, dict(flatten(row))) for item in case.items for row in rows[item]]


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a row's cells by their path within the row, written anew from the documentation's rules."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from flatten(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for first in value[:1]:
            yield from flatten(first, f"{path}[0]")
    else:
        yield path, value


def names_of(expected: Iterable[tuple[str, Cells]]) -> set[str]:
    """Return the names of all cells that rows have of their own; others are carried from around them."""
    return {name for _, cells in expected for name in cells}


def prefix(case: Case) -> str:
    """Return what stands before the names of a collection's own columns."""
    return "" if case.collection == BARE else f"{case.collection}."


def read_json(case: Case, content: bytes, own: set[str]) -> list[tuple[str, Cells]]:
    return [
        (row["input"][case.variable], {name: value for name, value in row["response"].items() if name in own})
        for row in json.loads(content)
    ]


def read_csv(case: Case, content: bytes, own: set[str]) -> list[tuple[str, Cells]]:
    table = csv.DictReader(io.StringIO(content.decode(), newline=""))
    begin, source = prefix(case), f"input.{case.variable}"
    return [(row[source], {name: row[begin + name] for name in own}) for row in table]


def in_csv(expected: list[tuple[str, Cells]], own: set[str]) -> list[tuple[str, Cells]]:
    """Return cells as a CSV file has them: all of them texts, and empty where there is none."""
    return [(item, {name: in_cell(cells.get(name)) for name in own}) for item, cells in expected]


def in_cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def read_column(content: bytes, *names: str) -> list[tuple[str, ...]]:
    table = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return [tuple(row[name] for name in names) for row in table]
