"""A server as its users run it, a real browser, and people who sit at it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.acceptance.server import Server
from tests.ports import Port
from tests.ui.browser import Person, open_browser

from swath.demo.upstream import Behaviour, Upstream


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a module; not longer, for its event loop would stand in others' way."""
    with open_browser() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server at an address that nobody else is given while it is stopped."""
    folder: Path = tmp_path_factory.mktemp("page")
    with closing(Port()) as port, Server(folder / "data", "--port", str(port.number)) as running:
        yield running


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """The sample upstream, without a limit and without hiccups; a test gives it what it needs."""
    running = Upstream(Behaviour(hiccup_every=0, limit=None))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def somebody(browser: Browser, server: Server) -> Iterator[Callable[..., Person]]:
    """Seat somebody at a browser of his own; in the end no browser may have complained."""
    people: list[Person] = []

    def seat(**options: Any) -> Person:
        people.append(Person(browser, server.url, **options))
        return people[-1]

    yield seat
    for person in people:
        person.close()
    assert [complaint for person in people for complaint in person.complaints] == []


@pytest.fixture
def admin(somebody: Callable[..., Person], server: Server) -> Person:
    person = somebody()
    person.sign_in(server.token)
    return person
