"""The pagers against the hostile upstreams, over a real socket, without the engine around them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.upstreams.pages import SCENES, Scene
from tests.upstreams.scripted import Scripted

from swath.flow.execution import StopReason
from swath.flow.paging import Page, begin, depth_cap, pager_for, settle
from swath.flow.request import RequestTemplate

#: What only the fetcher can see: addresses and hosts.
OF_THE_FETCHER = {"P10 another host", "P10 a private address"}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


def walk(scene: Scene) -> tuple[list[Any], StopReason, int | None]:
    """Ask for page after page as an item does; its rows, why it ended, and the total that was declared."""
    template, pager = RequestTemplate(scene.endpoint), pager_for(scene.paginator)
    progress, kept, stop = begin(scene.paginator), [], None
    with requests.Session() as client:
        while stop is None:
            values: dict[str, Any] = {}
            request = template.render(values, pager.apply(progress.state, values))
            answer = client.request(request.method, request.url, headers=dict(request.headers), timeout=60)
            if answer.status_code != 200:
                stop = depth_cap(progress, answer.status_code)
                break
            headers = tuple(answer.headers.items())
            page = Page(answer.status_code, headers, json.loads(answer.content), request.url)
            step = settle(scene.workflow, pager, progress, page)
            kept += [page.body["results"]] if step.keep else []
            stop = step.stop
    assert stop is not None
    return [row for rows in kept[: progress.page] for row in rows], stop, progress.declared_total


@pytest.mark.parametrize("name", sorted(set(SCENES) - OF_THE_FETCHER))
def test_every_hostile_way_of_paging_ends_right(upstream: Scripted, name: str) -> None:
    """All rows once, in order; the right reason; not a request more than it takes."""
    scene = SCENES[name](upstream)
    rows, stop, total = walk(scene)
    if name.startswith("P14"):
        rows = list({row["id"]: row for row in rows}.values())
    assert rows == list(scene.rows)
    assert stop == scene.stop
    assert total == scene.declared_total
    assert len(upstream.asked) <= scene.most_requests
