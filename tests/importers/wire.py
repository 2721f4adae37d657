"""What goes over the wire: a recording upstream, Swath's own sending beside it, and how requests compare."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any

from pyreqwest.http import Url
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.engine.exits import DIRECT
from swath.engine.fetcher import Fetcher
from swath.engine.guard import Guard
from swath.flow.checks import check_endpoint, check_workflow
from swath.flow.definition import Endpoint, Limits, Workflow
from swath.flow.formula import read_formula, read_plain, write_text
from swath.flow.paging import pager_for
from swath.flow.request import RequestTemplate
from swath.flow.spans import lay_windows
from swath.importers import Imported
from swath.wire.bodies import parse

#: When windows are laid that end today.
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
#: The host of all sources; on the way out it is the recording upstream.
HOST = "https://api.example.com"
#: Headers that each client writes in its own way.
OWN = frozenset(
    {"host", "connection", "content-length", "accept-encoding", "expect", "transfer-encoding", "te"}
)


@dataclass(frozen=True)
class Told:
    """A request as it is compared."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any


def read_endpoint(imported: Imported, name: str) -> Endpoint:
    """An endpoint of a formula; it must be one that Swath takes."""
    endpoint = parse(Endpoint, {"name": name, **imported.formula["endpoints"][name]})
    assert check_endpoint(endpoint) == []
    return endpoint


def read_workflow(imported: Imported, name: str) -> Workflow:
    """A workflow of a formula; it must be one that Swath takes, with lists that are there."""
    given = dict(imported.formula["workflows"][name])
    endpoint = read_endpoint(imported, given.pop("endpoint"))
    lists = imported.formula.get("collections", {})
    mappings = []
    for each in given.pop("mappings", []):
        mapping = dict(each)
        if "source_collection" in mapping:
            assert mapping["source_collection"] in lists
            mapping["source_collection_id"] = mapping.pop("source_collection")
        if "from_result" in mapping:
            column = dict(mapping["from_result"])
            assert column["workflow"] in imported.formula["workflows"]
            mapping["from_result"] = {"workflow_id": column.pop("workflow"), **column}
        mappings.append(mapping)
    workflow = parse(Workflow, {"name": name, "endpoint_id": "e", "mappings": mappings, **given})
    assert check_workflow(workflow, endpoint) == []
    return workflow


def check_formula(imported: Imported) -> None:
    """What holds of every import: Swath takes it, and no secret stands in it or in the notes."""
    read_formula(write_text(read_plain(imported.formula)))
    for name in imported.formula["endpoints"]:
        read_endpoint(imported, name)
    for name in imported.formula.get("workflows", {}):
        read_workflow(imported, name)
    shown = json.dumps([imported.formula, imported.notes])
    for variable, value in imported.secrets.items():
        assert len(value) < 4 or value not in shown, f"{variable} is shown"
    json.dumps(imported.formula)  # plain values only


async def send(
    imported: Imported,
    upstream: Scripted,
    values: Mapping[str, Any] | None = None,
    endpoints: list[str] | None = None,
) -> list[Told]:
    """Send the first request of each endpoint, with the secrets found and the values given."""
    fetcher = Fetcher(Guard(["127.0.0.0/8"]))
    try:
        for name in endpoints or imported.formula["endpoints"]:
            given = {**imported.secrets, **first_values(imported, name), **(values or {})}
            request = RequestTemplate(read_endpoint(imported, name)).render(given)
            before = len(upstream.asked)
            await fetcher.fetch(request, DIRECT, Limits(timeout=30.0))
            assert len(upstream.asked) == before + 1
    finally:
        await fetcher.close()
    return take(upstream)


def first_values(imported: Imported, endpoint: str) -> dict[str, Any]:
    """The values of the first input item and the first page of the endpoint's first workflow."""
    values: dict[str, Any] = {}
    for name, workflow in imported.formula.get("workflows", {}).items():
        if workflow["endpoint"] != endpoint:
            continue
        read = read_workflow(imported, name)
        values.update(read.inputs)
        for mapping in workflow.get("mappings", []):
            if "source_collection" in mapping:
                items = imported.formula["collections"][mapping["source_collection"]]
                key, variable = mapping.get("source_collection_json_key"), mapping["target_variable_name"]
                batch = read.batches.get(variable)
                values[variable] = items[0][key] if key else items[0]
                if batch is not None:
                    values[variable] = batch.separator.join(items[: batch.size])
        for rule in read.date_windows:
            window = lay_windows(rule, NOW)[0]
            values |= {rule.from_variable: window["from"], str(rule.until_variable): window["until"]}
        pager = pager_for(read.paginator)
        pager.apply(pager.first(), values)
        break
    return values


def run_shell(
    command: str, upstream: Scripted, folder: Path, environment: Mapping[str, str] | None = None
) -> list[Told]:
    """Run a command in a real bash with the real curl, and return what came."""
    done = subprocess.run(
        ["bash", "-c", local(command, upstream)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert upstream.asked, done.stderr
    return take(upstream)


def local(text: str, upstream: Scripted) -> str:
    """Put the upstream's address in place of the sources' host."""
    for host in (HOST, HOST.replace("https", "http"), "api.example.com"):
        text = text.replace(host, upstream.url if "://" in host else upstream.url.removeprefix("http://"))
    return text


def relocated(imported: Imported, upstream: Scripted) -> Imported:
    """The same import, of a source whose host is the upstream."""
    return replace(imported, formula=json.loads(local(json.dumps(imported.formula), upstream)))


def take(upstream: Scripted) -> list[Told]:
    told = [tell(asked, upstream) for asked in upstream.asked]
    upstream.asked.clear()
    return told


def tell(asked: Asked, upstream: Scripted) -> Told:
    headers: dict[str, str] = {}
    for raw, value in asked.headers:
        name = raw.lower()
        if not (name in OWN or is_default(name, value)):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body: Any = asked.body
    kind = headers.get("content-type", "")
    if kind.startswith("multipart/form-data") and b"\r\n" in asked.body[:200]:
        headers["content-type"] = "multipart/form-data"
        body = read_parts(kind, asked.body)
    return Told(asked.method, str(Url(upstream.url + asked.target)), headers, body)


def is_default(name: str, value: str) -> bool:
    return (name == "accept" and value == "*/*") or (
        name == "user-agent" and value.lower().startswith(("curl/", "swath/"))
    )


def read_parts(kind: str, body: bytes) -> list[tuple[str | None, str | None, str | None, bytes]]:
    """Name, file name, content type and content of each part."""
    message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    parts: Any = message.get_payload()
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            part.get_filename(),
            part.get("content-type"),
            part.get_payload(decode=True),
        )
        for part in parts
    ]


def compact(told: Told) -> Told:
    """The same with its JSON body parsed: for imports that say that they change its spaces."""
    return Told(told.method, told.url, told.headers, json.loads(told.body)) if told.body else told


def recording() -> Scripted:
    upstream = Scripted()
    upstream.on("*", Play.json({}))
    return upstream
