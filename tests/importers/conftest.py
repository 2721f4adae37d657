"""The recording upstream of all import tests."""

from collections.abc import Iterator

import pytest
from tests.importers.wire import recording
from tests.upstreams.scripted import Scripted


@pytest.fixture(scope="module")
def running() -> Iterator[Scripted]:
    with recording() as upstream:
        yield upstream


@pytest.fixture
def upstream(running: Scripted) -> Scripted:
    running.asked.clear()
    return running
