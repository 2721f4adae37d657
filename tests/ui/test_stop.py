"""A server that is told to stop, with views open and an execution under way."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.acceptance.server import Server, define_posts, find_trouble, wait_until
from tests.ui.browser import Person

from swath.demo.upstream import Behaviour, Upstream

USERS = [str(1000 + n) for n in range(200)]
#: Views that look again by themselves.
LOOKING = ("/executions", "/executions/{id}", "/executions/{id}/failures", "/workflows/{workflow}")

#: Tells whether the views are over when that ends what they look at.
ORDER = """
import asyncio
from contextlib import asynccontextmanager
from fastapi import FastAPI
from nicegui import core
from swath.ui.app import attach

@asynccontextmanager
async def house(api):
    yield
    print(core.app.is_stopped)

async def live(api):
    async with api.router.lifespan_context(api):
        assert core.app.is_started

api = FastAPI(lifespan=house)
attach(api, below="/cloud")
asyncio.run(live(api))
"""


def test_views_end_before_what_they_look_at(tmp_path: Path) -> None:
    """Or they would look at a database that is closed."""
    told = subprocess.run(
        [sys.executable, "-c", ORDER], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["True"], told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_no_trouble_to_those_who_read_the_log(
    tmp_path: Path, browser: Browser, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """However many views look and whatever is under way: it ends well, and says nothing of errors."""
    upstream = Upstream(Behaviour(hiccup_every=0, limit=None, delay=0.05))
    upstream.start()
    with Server(tmp_path / "data") as server:
        made = define_posts(server, upstream.url, USERS)
        execution_id = server.trigger(made["workflow"])
        person = Person(browser, server.url)
        person.sign_in(server.token)
        for view in LOOKING:
            page = person.context.new_page()
            page.goto(view.format(id=execution_id, workflow=made["workflow"]))
            expect(page.locator("h1, h2").first).to_be_visible()
            page.wait_for_function("window.did_handshake")
        wait_until(lambda: server.execution(execution_id)["counters"]["pages"] > 20, "it is under way")
        capfd.readouterr()
        assert server.stop(number) == 0
        person.close()
    upstream.stop()
    assert find_trouble(capfd.readouterr().err) == []
