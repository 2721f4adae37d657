"""The sample upstream serves the network that its pure functions describe, and misbehaves only as told."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from tests.acceptance.server import wait_until

from swath.demo import network
from swath.demo.upstream import Behaviour, Limit, Upstream

PLAIN = Behaviour(hiccup_every=0, limit=None)
JANUARY = (1546300800, 1548979200)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    running = Upstream(PLAIN)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def read(client: requests.Session, url: str, **query: Any) -> Any:
    """The body with every fraction as it was written."""
    response = client.get(url, params=query)
    assert response.status_code == 200, response.text
    return json.loads(response.text, parse_float=Decimal)


def walk_cursor(client: requests.Session, url: str, **query: Any) -> list[Any]:
    page = read(client, url, **query)
    rows = list(page["results"])
    while page["next"]:
        page = read(client, url, cursor=page["next"], **query)
        assert page["results"], "a cursor led to nothing"
        rows += page["results"]
    return rows


@pytest.mark.parametrize("user_id", [*network.DOCUMENTED_USERS, 7, 999_999])
def test_cursor_pages_hold_every_post_once(
    upstream: Upstream, client: requests.Session, user_id: int
) -> None:
    """All pages together are exactly `posts`, newest first, to the last digit of their scores."""
    rows = walk_cursor(client, f"{upstream.url}/users/{user_id}/posts", limit=7)
    assert rows == network.posts(user_id)
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)


def test_posts_can_be_bounded_by_time(upstream: Upstream, client: requests.Session) -> None:
    """With bounds the cursor runs over the posts that fit, both bounds included."""
    wanted = network.posts(43823188, *JANUARY)
    bounds = {"min_timestamp": wanted[-1]["created_at"], "max_timestamp": wanted[0]["created_at"]}
    url = f"{upstream.url}/users/43823188/posts"
    assert walk_cursor(client, url, limit=5, **bounds) == wanted


@pytest.mark.parametrize("user_id", network.DOCUMENTED_USERS)
def test_documented_users_have_posts_around_january_2019(user_id: int) -> None:
    """Some posts lie between the example's dates, in any time zone, and some on both sides."""
    day = 24 * 3600
    times = [post["created_at"] for post in network.posts(user_id)]
    assert sum(JANUARY[0] + day < moment < JANUARY[1] - day for moment in times) >= 10
    assert max(times) > JANUARY[1] + day
    assert min(times) < JANUARY[0] - day


def test_the_network_is_the_same_in_every_run() -> None:
    """Nothing depends on the process: known values of one post stand here."""
    post = network.post(43823188, 0)
    assert (post["id"], post["created_at"], post["score"]) == (
        3330818796105476552,
        1551033368,
        Decimal("2.705963942770354632"),
    )


def test_numbered_pages_end_with_an_empty_one(upstream: Upstream, client: requests.Session) -> None:
    """Followers come by page number with a total; a page past the end is empty."""
    url, pages = f"{upstream.url}/users/50834309/followers", []
    while True:
        body = read(client, url, page=len(pages) + 1)
        assert body["total"] == network.followers_count(50834309)
        if not body["followers"]:
            break
        pages.append(body["followers"])
    assert [one for page in pages for one in page] == network.followers(50834309)


def test_search_pages_by_offset(upstream: Upstream, client: requests.Session) -> None:
    pages = [read(client, f"{upstream.url}/search", offset=start, limit=50) for start in range(0, 300, 50)]
    assert [one for page in pages for one in page["items"]] == [network.found(n) for n in range(230)]


def test_repos_follow_the_link_header(upstream: Upstream, client: requests.Session) -> None:
    """`rel="next"` leads through all pages, relative to the server, and is absent on the last."""
    url, rows = "/repos", []
    while url:
        response = client.get(upstream.url + url)
        rows += response.json()
        url = response.links.get("next", {}).get("url", "")
    assert rows == [network.repo(number) for number in range(network.REPOS_TOTAL)]


def test_the_feed_names_its_next_url(upstream: Upstream, client: requests.Session) -> None:
    url, rows = "/feed", []
    while url:
        body = read(client, upstream.url + url)
        rows += body["items"]
        url = body["next_url"]
    assert rows == [network.feed_entry(number) for number in range(network.FEED_TOTAL)]


def test_sample_pages_differ_only_in_their_number(upstream: Upstream, client: requests.Session) -> None:
    assert read(client, f"{upstream.url}/sample/123")["rows"] == network.sample_rows(123)


def test_a_limit_answers_429_until_its_time_is_over(client: requests.Session) -> None:
    """The request after the last allowed one is refused, and says how long to wait."""
    upstream = Upstream(Behaviour(hiccup_every=0, limit=Limit(requests=3, per_seconds=3600, retry_after=0.2)))
    upstream.start()
    try:
        answers = [client.get(f"{upstream.url}/users/1") for _ in range(5)]
    finally:
        upstream.stop()
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[3].headers["Retry-After"] == "0.2"


def test_a_limit_counts_only_its_window() -> None:
    """Where the window has passed, requests are allowed again."""
    upstream = Upstream(Behaviour(hiccup_every=0, limit=Limit(requests=1, per_seconds=1)))
    moments = [0.0, 0.5, 1.0, 1.5]
    statuses = [upstream._judge(b"/users/1", "/users/1", "", "127.0.0.1", moment)[0] for moment in moments]
    assert statuses == [200, 429, 200, 429]


def test_hiccups_hit_the_first_try_only(upstream: Upstream, client: requests.Session) -> None:
    """A page that stumbles does so once; which pages stumble is the same in every run."""
    client.post(f"{upstream.url}/_control", json={"hiccup_every": 2})
    urls = [f"{upstream.url}/users/{number}" for number in range(20)]
    first = [client.get(url).status_code for url in urls]
    second = [client.get(url).status_code for url in urls]
    client.post(f"{upstream.url}/_control", json={"reset": True})
    assert set(first) == {200, 503}
    assert set(second) == {200}
    assert [client.get(url).status_code for url in urls] == first


def test_the_log_holds_every_request(upstream: Upstream, client: requests.Session) -> None:
    """Requests are numbered in order of arrival, the log's own reading is not among them."""
    before = time.time()
    client.get(f"{upstream.url}/users/1/posts", params={"limit": 3}, headers={"Via": "1.1 somewhere"})
    client.get(f"{upstream.url}/nowhere")
    log = client.get(f"{upstream.url}/_log").json()
    assert log["total"] == 2
    first, second = log["requests"]
    assert before <= first.pop("time") <= second["time"]
    assert first == {
        "number": 1,
        "method": "GET",
        "path": "/users/1/posts",
        "query": "limit=3",
        "status": 200,
        "client": "127.0.0.1",
        "via": "1.1 somewhere",
    }
    assert second["status"] == 404
    later = client.get(f"{upstream.url}/_log", params={"since": 1}).json()["requests"]
    assert [entry["number"] for entry in later] == [2]


def test_a_request_whose_client_leaves_is_still_logged(upstream: Upstream, client: requests.Session) -> None:
    """The log counts at arrival, so an attempt that is given up counts like any other."""
    client.post(f"{upstream.url}/_control", json={"delay": 3600})
    with pytest.raises(requests.ReadTimeout):
        client.get(f"{upstream.url}/users/1", timeout=(60, 0.2))
    wait_until(upstream.seen, "it has come")
    assert [entry.path for entry in upstream.seen()] == ["/users/1"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/users/abc", 404),
        ("/users/1/enemies", 404),
        ("/users/1/posts?cursor=x", 400),
        ("/users/1/posts?min_timestamp=soon", 400),
        ("/users/1/followers?page=0", 400),
        ("/search?offset=-1", 400),
        ("/sample/x", 404),
    ],
)
def test_what_cannot_be_answered_is_refused_as_json(
    upstream: Upstream, client: requests.Session, path: str, status: int
) -> None:
    response = client.get(upstream.url + path)
    assert response.status_code == status
    assert set(response.json()) == {"error"}


def test_unknown_settings_are_refused(upstream: Upstream, client: requests.Session) -> None:
    """A misspelt setting in a test must not pass in silence."""
    assert client.post(f"{upstream.url}/_control", json={"hiccup": False}).status_code == 400
    assert client.post(f"{upstream.url}/_control", json=[1]).status_code == 400


@pytest.mark.parametrize("farewell", ["signal", "stdin"])
def test_it_runs_as_a_process_of_its_own(client: requests.Session, farewell: str) -> None:
    """It prints its URL on one line, serves, and ends cleanly by signal or with its parent."""
    command = [sys.executable, "-m", "swath.demo.upstream", "--port", "0", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        url = process.stdout.readline().strip()
        assert client.get(f"{url}/users/2").json()["id"] == "2"
        if farewell == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(60) == 0
        assert process.stdout.read() == ""
