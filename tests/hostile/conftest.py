"""A house for all of these tests: the durable engine is one to a process, and starting it takes a second."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from dbos._event_loop import BackgroundEventLoop
from tests.hostile.house import SHARED_TICK, TICK, House, QuickClock
from tests.postgres import Postgres
from tests.upstreams.scripted import Scripted

from swath.bootstrap import open_house
from swath.operations import users
from swath.settings import Settings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The house and all who use it live on one loop."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest.fixture(scope="package")
def elsewhere(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings of a PostgreSQL database where `SWATH_TEST_DATABASE=postgresql` asks for it, else none."""
    if os.environ.get("SWATH_TEST_DATABASE", "sqlite") != "postgresql":
        yield {}
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    yield {"database_url": url, "secret_key": "known to all processes"}
    server.drop(url)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def opened(tmp_path_factory: pytest.TempPathFactory, elsewhere: dict[str, Any]) -> AsyncIterator[House]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("house"),
        token="admin",
        allowed_private_hosts=("127.0.0.0/8",),
        **elsewhere,
    )
    clock = QuickClock(SHARED_TICK if elsewhere else TICK)
    loop = asyncio.get_running_loop()
    async with open_house(settings, clock) as context:
        with pytest.MonkeyPatch.context() as patch:
            # Between two tests the loop stands still. What is queued must wait then: on a loop of its own the
            # durable engine would begin it beside the next test, two threads on one connection.
            patch.setattr(BackgroundEventLoop, "target_loop", lambda _: loop)
            yield House(context, await users.authenticate(context, "admin"), clock)


@pytest.fixture
def house(opened: House) -> House:
    opened.clock.slept.clear()
    return opened


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running
