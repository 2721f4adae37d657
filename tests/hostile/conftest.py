"""A house for all of these tests: the durable engine is one to a process, and starting it takes a second."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.hostile.house import House, QuickClock
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


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("house"), token="admin", allowed_private_hosts=("127.0.0.0/8",)
    )
    clock = QuickClock()
    async with open_house(settings, clock) as context:
        yield House(context, await users.authenticate(context, "admin"), clock)


@pytest.fixture
def house(opened: House) -> House:
    opened.clock.slept.clear()
    return opened


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running
