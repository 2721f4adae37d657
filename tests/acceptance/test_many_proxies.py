"""More proxies than clients are kept: each takes its turn, and the server stays small."""

import json

from server import Server, define_posts

from swath.demo.proxies import ForwardProxy, Plan
from swath.demo.upstream import Upstream

MANY = 300
#: Bytes beside what the server took for the same requests without proxies.
MOST_MORE = 50 * 1024 * 1024


def test_more_proxies_than_clients_take_turns_in_little_memory(server: Server, upstream: Upstream) -> None:
    """The least recently used one goes next; all of them together add less than 50 MB to the server."""
    proxy = ForwardProxy(Plan(name="many", type="shared", location="nyc"))
    address = proxy.start().removeprefix("http://")
    for number in range(MANY):
        body = {"type": "shared", "location": "many", "url": f"http://user-{number}:secret@{address}"}
        server.post("/proxies", body)
    ids = define_posts(server, upstream.url, [str(43_823_188 + number) for number in range(MANY)])
    server.wait(server.trigger(ids["workflow"], maximum_requests_count=MANY))
    before = server.peak_memory()
    choice = {"type": "shared", "location": "many"}
    execution = server.wait(server.trigger(ids["workflow"], proxy=choice, maximum_requests_count=MANY))
    assert server.peak_memory() - before < MOST_MORE
    proxy.stop()
    lines = server.ask("GET", f"/workflows/executions/{execution['id']}/responses").text.splitlines()
    assert len({json.loads(line)["exit"] for line in lines}) > MANY * 9 // 10
    known = server.ask("GET", "/proxies?limit=1000").json()["objects"]
    assert sum(each["health"]["state"] == "well" for each in known) > MANY * 9 // 10
