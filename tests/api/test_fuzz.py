"""Whatever a client sends, it is answered as the OpenAPI document says: never 5xx, always in the envelope."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.harness import ADMIN_TOKEN, Client, IdleEngine, Server, open_rooms, run_server
from tests.api.test_worlds import furnish

from swath.api.app import build_app
from swath.api.openapi import describe
from swath.engine.courier import Courier
from swath.engine.fetcher import Fetcher
from swath.engine.guard import Guard
from swath.operations.context import Context
from swath.operations.webhooks import tell
from swath.settings import Settings

BASE = "/cloud/api/v1"
#: Few requests of each route, the same each time; more are for people who look for faults.
EXAMPLES = settings(
    max_examples=int(os.environ.get("SWATH_FUZZ", "8")),
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: By the parameter of a path: what of a user's world it names.
NAMED = {
    "execution_id": "execution",
    "workflow_id": "workflow",
    "endpoint_id": "endpoint",
    "collection_id": "collection",
    "proxy_id": "proxy",
    "webhook_id": "webhook",
    "schedule_id": "schedule",
    "token_id": "token",
}


class TalkingEngine(IdleEngine):
    """Sends single requests, but for executions never works; every address is refused by the guard."""

    def __init__(self, context: Context) -> None:
        super().__init__()

        async def nowhere(host: str) -> list[str]:
            return ["10.0.0.1"]

        self.fetcher = Fetcher(Guard(resolve=nowhere), knock_time=0.2)
        parts = context.database, self.fetcher, context.vault, context.clock
        self.courier = Courier(*parts, tell(""))


@asynccontextmanager
async def open_talking(known: Settings) -> AsyncIterator[Context]:
    async with open_rooms(known) as context:
        engine = TalkingEngine(context)
        yield replace(context, engine=engine)
        await engine.fetcher.close()


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    known = Settings(data_dir=tmp_path_factory.mktemp("fuzz"), token=ADMIN_TOKEN)
    with run_server(known, open_talking) as running:
        yield running


@pytest.fixture(scope="module")
def client(talking: Server) -> Iterator[Client]:
    client = Client(talking, ADMIN_TOKEN)
    yield client
    client.close()


DOCUMENT = describe(build_app(Settings(), open_talking))
OPERATIONS = {
    f"{found.ok().method.upper()} {found.ok().path.removeprefix(BASE)}": found.ok()
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    if found.ok().path.startswith(BASE)
}


@pytest.mark.parametrize("route", OPERATIONS)
def test_every_route_answers_as_described(route: str, talking: Server, client: Client) -> None:
    """With ids that exist, and everything else as it comes."""
    world = furnish(client)

    @settings(EXAMPLES)
    @given(case=OPERATIONS[route].as_strategy())
    def ask(case: Any) -> None:
        found = furnish(client) if route.startswith("DELETE") else world
        for name in case.path_parameters or ():
            if name in NAMED:
                case.path_parameters[name] = found[NAMED[name]]
        answer = case.call(base_url=talking.url, headers={"Token": ADMIN_TOKEN})
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert list(answer.json()) == ["errors"]
            assert all(len(error) == 1 for error in answer.json()["errors"])

    ask()


#: A value as it stands in a body: what some parsers, encoders and databases choke on.
HARD = {
    "an integer of 63 bits": "9223372036854775808",
    "an integer of 70 bits": str(2**70),
    "one below all": str(-(2**70)),
    "an integer of 400 digits": "1" * 400,
    "an integer of 5,000 digits": "1" * 5_000,
    "no float": "1e400",
    "NaN": "NaN",
    "a lone surrogate": '"\\ud800"',
    "a lone surrogate as a key": '{"\\udfff": 1}',
    "NUL": '"\\u0000"',
    "90 levels": "[" * 90 + "]" * 90,
    "200 levels": "[" * 200 + "]" * 200,
    "100,000 levels": "[" * 100_000 + "]" * 100_000,
    "a truth value": "true",
    "doubled keys": '{"a": 1, "a": 2}',
}
ENDPOINT = '"name": "e", "url": "https://h.example/"'
#: Where it stands.
PLACES = [
    ("POST", "/workflows/{workflow}/executions", '{"execution_parameters": {"user_id": @, "x": @}}'),
    ("POST", "/workflows/{workflow}/executions", '{"execution_parameters": {"user_id": [@, @]}}'),
    ("POST", "/workflows/{workflow}/executions", '{"maximum_requests_count": @}'),
    ("POST", "/workflows/{workflow}/executions", '{"execution_name": @}'),
    ("PATCH", "/workflows/executions/{execution}", '{"maximum_requests_count": @}'),
    ("PATCH", "/workflows/executions/{execution}", '{"rate_limits": [{"requests": @}]}'),
    ("PATCH", "/workflows/executions/{execution}", '{"concurrency": @}'),
    ("POST", "/endpoints", f'{{{ENDPOINT}, "variables": {{"a": {{"default": @}}}}}}'),
    ("POST", "/endpoints", f'{{{ENDPOINT}, "body": {{"json": @}}}}'),
    ("POST", "/endpoints/{endpoint}/executions", '{"inputs": {"user_id": @}}'),
    ("PATCH", "/workflows/{workflow}", '{"inputs": {"a": @}}'),
    ("PATCH", "/workflows/{workflow}", '{"filters": [{"path": "a", "value": @}]}'),
    ("PATCH", "/workflows/{workflow}", '{"limits": {"max_response_bytes": @}}'),
    ("PATCH", "/workflows/{workflow}", '{"limits": {"timeout": @}}'),
    ("POST", "/collections", '{"name": "c", "items": [@]}'),
    ("POST", "/collections", '{"name": "c", "items": [{"a": @}]}'),
    ("POST", "/collections/{collection}/upload?format=jsonl", "@"),
    ("POST", "/schedules", '{"workflow_id": "{workflow}", "cron": "0 0 * * *", "execution": @}'),
    ("POST", "/webhooks", '{"url": "https://h.example/", "secret": @}'),
    ("POST", "/formulas", '{"formula": {"endpoints": @}}'),
    ("POST", "/formulas", '{"formula": @}'),
]
LISTS = ("/workflows", "/endpoints", "/collections", "/executions", "/schedules", "/webhooks")


@pytest.mark.parametrize("hard", HARD)
def test_no_value_is_too_hard(client: Client, hard: str) -> None:
    """It is taken or refused in the envelope, and what was taken can be read again."""
    world = furnish(client)

    def fill(text: str) -> str:
        for name, each in world.items():
            text = text.replace(f"{{{name}}}", each)
        return text

    for method, path, body in PLACES:
        answer = client.ask(method, fill(path), data=fill(body).replace("@", HARD[hard]).encode())
        assert answer.status_code < 500, (method, path, body)
        assert set(answer.json()) <= {"object", "errors"}
    asked = (f"/workflows/{world['workflow']}", f"/workflows/executions/{world['execution']}/events")
    for path in (*LISTS, *asked):
        assert client.ask("GET", path).status_code == 200, path
