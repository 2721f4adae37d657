"""A server, an upstream and proxies, each real and each on loopback."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swath.demo.upstream import Behaviour, Upstream

sys.path.insert(0, str(Path(__file__).parent))

from calm import run_calmly
from gated import Gated
from server import Server
from tests.ports import Port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with a data folder of its own."""
    with Server(tmp_path / "data") as running:
        yield running


@pytest.fixture
def upstream(request: pytest.FixtureRequest) -> Iterator[Gated]:
    """The sample upstream, without a limit and without hiccups, its gate open; a test gives what it needs.

    An answer takes the test module's `DELAY` in seconds, if it has any: something can happen meanwhile.
    """
    delay = getattr(request.module, "DELAY", 0.0)
    port = Port()
    running = Gated(Behaviour(delay=delay, hiccup_every=0, limit=None), port=port.number)
    running.start()
    yield running
    running.stop()
    port.close()


@pytest.fixture(scope="module")
def calm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an undisturbed run for the test module's `USERS`."""
    running = Upstream(Behaviour(hiccup_every=0, limit=None))
    running.start()
    files = run_calmly(tmp_path_factory.mktemp("calm"), running, request.module.USERS)
    running.stop()
    return files


@pytest.fixture(scope="session")
def documentation() -> Path:
    """The page of the original documentation, which lies beside the checkout."""
    place = Path(os.environ.get("SWATH_DOCUMENTATION", ""))
    if not place.is_file():
        place = Path(__file__).parents[3] / "shared" / "seed" / "workflow-execution-api.txt"
    if not place.is_file():
        pytest.skip("the documentation page is not beside this checkout; set SWATH_DOCUMENTATION to its path")
    return place
