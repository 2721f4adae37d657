"""`maximum_requests_count` is exact: what the upstream counted decides."""

import pytest
from server import Server, define_posts

from swath.demo.upstream import Behaviour, Upstream

USERS = [str(5000 + n) for n in range(400)]


@pytest.mark.parametrize("limit", [1, 100, 333])
def test_the_upstream_sees_exactly_so_many_attempts(server: Server, upstream: Upstream, limit: int) -> None:
    """With 32 in flight and an upstream that fails now and then, retries count and the limit holds."""
    upstream.behaviour = Behaviour(delay=0.01, hiccup_every=5, limit=None)
    ids = define_posts(server, upstream.url, USERS, concurrency=32, retry={"base_delay": 0.01})
    execution = server.wait(server.trigger(ids["workflow"], maximum_requests_count=limit))
    assert len(upstream.seen()) == limit
    assert execution["counters"]["attempts"] == limit
    assert execution["truncated"] is True
    assert execution["status"] == "succeeded"
    assert execution["results"]
    manifest = server.get(f"/workflows/executions/{execution['id']}/manifest")["object"]
    assert sum(manifest["stop_reasons"].values()) == len(USERS)
    assert manifest["stop_reasons"]["request_limit"] > 0


def test_an_execution_that_needs_less_is_not_truncated(server: Server, upstream: Upstream) -> None:
    """A limit that is not reached changes nothing."""
    ids = define_posts(server, upstream.url, USERS[:20])
    execution = server.wait(server.trigger(ids["workflow"], maximum_requests_count=10_000))
    assert execution["truncated"] is False
    assert execution["counters"]["attempts"] == len(upstream.seen())
