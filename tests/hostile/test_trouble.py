"""Rows R1 to R5 of the hostile upstreams, through the whole engine over a real socket; waits take no time."""

import asyncio
import gzip
import itertools
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from tests.hostile.house import House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.flow.definition import (
    Body,
    Endpoint,
    Limits,
    Paginator,
    Refresh,
    ResponseRule,
    RetryPolicy,
    Variable,
    Workflow,
)

ITEMS = [str(number) for number in range(12)]
#: Items worked on at a time.
WIDTH = 4


def over(upstream: Scripted, **more: Any) -> tuple[Endpoint, Workflow]:
    """One item for each user; `{{user}}` stands in the path."""
    endpoint = Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables={"user": Variable()})
    return endpoint, Workflow(name="w", endpoint_id="", concurrency=WIDTH, **more)


class Limiter:
    """Refuses everything from the first request on until so many seconds have passed on the house's clock."""

    def __init__(self, house: House, seconds: float, headers: Any, refusal: int = 429) -> None:
        self._clock, self._seconds, self._headers, self._status = house.clock, seconds, headers, refusal
        self.refused: list[float] = []
        self.served: list[float] = []

    @property
    def begun(self) -> float:
        """When the first request came."""
        return self.refused[0]

    def __call__(self, asked: Asked) -> Play:
        now = self._clock.now
        if not self.refused or now < self.begun + self._seconds:
            self.refused.append(now)
            return Play.json({"message": "slow down"}, status=self._status, headers=self._headers(now))
        self.served.append(now)
        return page(rows(0, 1))


def at(house: House, seconds: float) -> str:
    return formatdate(house.clock.epoch() + seconds, usegmt=True)


ASKED_FOR_FOUR = {
    "R1 seconds": lambda house: [("Retry-After", "4")],
    "R1 a date": lambda house: [("Retry-After", at(house, 5))],
    "R1 a date by the upstream's clock": lambda house: [
        ("Date", "Tue, 01 Jan 2030 00:00:00 GMT"),
        ("Retry-After", "Tue, 01 Jan 2030 00:00:04 GMT"),
    ],
    "R2 delta": lambda house: [("X-RateLimit-Reset", "4")],
    "R2 epoch seconds": lambda house: [("X-RateLimit-Reset", str(int(house.clock.epoch() + 5)))],
    "R2 epoch milliseconds": lambda house: [
        ("X-RateLimit-Reset", str(int(house.clock.epoch() * 1000) + 4001))
    ],
    "R2 draft 7": lambda house: [("RateLimit", "limit=10, remaining=0, reset=4")],
    "R2 draft 9": lambda house: [("RateLimit", '"default";r=0;t=4')],
}


@pytest.mark.parametrize("name", ASKED_FOR_FOUR)
async def test_R1_R2_the_whole_scope_waits_as_long_as_it_is_asked_to(
    house: House, upstream: Scripted, name: str
) -> None:
    """Nothing is sent before the four seconds are over, not only by the item that was refused."""
    limiter = Limiter(house, 4, lambda now: ASKED_FOR_FOUR[name](house))
    upstream.on("/users/*", limiter)
    ended = await house.run(*over(upstream), inputs={"user": ITEMS})
    assert ended.reasons == {"complete": len(ITEMS)}
    assert len(limiter.served) == len(ITEMS)
    assert 1 <= len(limiter.refused) <= WIDTH
    assert set(limiter.refused) == {limiter.begun}
    assert ended.attempts == len(upstream.asked) == len(limiter.refused) + len(limiter.served)


async def test_R1_items_that_were_not_refused_wait_too(house: House, upstream: Scripted) -> None:
    """One request of four is refused; what the other three go on to is not sent before the wait is over."""
    times: list[float] = []

    async def play(asked: Asked) -> Play:
        times.append(house.clock.now)
        if asked.number == 1:
            while len(times) < WIDTH:  # noqa: ASYNC110 - on the upstream's loop, until all four were sent
                await asyncio.sleep(0.01)
            return Play(status=429, headers=[("Retry-After", "4")])
        while asked.number <= WIDTH and not house.clock.slept:  # noqa: ASYNC110 - until the first one waits
            await asyncio.sleep(0.01)
        return Play.json({"results": rows(0, 1)})

    upstream.on("/users/*", play)
    ended = await house.run(*over(upstream), inputs={"user": ITEMS})
    assert ended.reasons == {"complete": len(ITEMS)}
    assert len(times) == len(ITEMS) + 1
    assert len(set(times[:WIDTH])) == 1
    assert min(times[WIDTH:]) >= times[0] + 4


@pytest.mark.parametrize("value", ["0", "-5", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", None])
async def test_R1_an_upstream_that_asks_for_nothing_is_not_hammered(
    house: House, upstream: Scripted, value: str | None
) -> None:
    """Backoff takes the place of a wait that is nothing or nonsense; if nothing else comes, the item ends."""
    headers = [] if value is None else [("Retry-After", value)]
    upstream.on("/users/*", Play(status=429, headers=headers))
    endpoint, workflow = over(upstream, retry=RetryPolicy(item_deadline=300))
    begun = house.clock.now
    ended = await house.run(endpoint, workflow, inputs={"user": ["1"]})
    assert ended.reasons == {"rate_limited": 1}
    assert ended.status == "failed"
    (line,) = ended.failures
    assert (line["error_code"], line["retryable"], line["last_status"]) == ("rate_limited", True, 429)
    assert line["attempts"] == len(upstream.asked) < 60
    assert 200 < house.clock.now - begun < 400


async def test_R1_a_wait_beyond_the_deadline_ends_the_items(house: House, upstream: Scripted) -> None:
    """Every item ends as rate limited; those that were not sent are not sent to learn it once more."""
    upstream.on("/users/*", Play(status=429, headers=[("Retry-After", "3600")]))
    endpoint, workflow = over(upstream, retry=RetryPolicy(item_deadline=100))
    ended = await house.run(endpoint, workflow, inputs={"user": ITEMS})
    assert ended.reasons == {"rate_limited": len(ITEMS)}
    assert len(upstream.asked) <= WIDTH
    assert sorted(line["item"] for line in ended.failures) == list(range(len(ITEMS)))
    assert {line["error_code"] for line in ended.failures} == {"rate_limited"}
    assert "scope_held" in ended.kinds()


async def test_R1_another_execution_of_the_owner_keeps_the_pause_too(
    house: House, upstream: Scripted
) -> None:
    """The scope is the owner's, not the execution's."""
    limiter = Limiter(house, 40, lambda now: [("Retry-After", "40")])
    upstream.on("/users/*", limiter)
    given = over(upstream)
    ids = [await house.begin(*given, inputs={"user": ITEMS}) for _ in range(2)]
    for ended in [await house.end(each) for each in ids]:
        assert ended.reasons == {"complete": len(ITEMS)}
    assert len(limiter.refused) <= 2 * WIDTH
    assert min(limiter.served) >= limiter.begun + 40


async def test_R2_an_allowance_that_is_used_up_is_waited_for(house: House, upstream: Scripted) -> None:
    """An answer that says that nothing remains holds the scope before it comes to a refusal."""
    times: list[float] = []

    def play(asked: Asked) -> Play:
        times.append(house.clock.now)
        return Play.json(
            {"results": rows(0, 1)}, headers=[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "7")]
        )

    upstream.on("/users/*", play)
    endpoint, workflow = over(upstream)
    ended = await house.run(endpoint, workflow, inputs={"user": ["1"]}, execution_name="first")
    ended = await house.run(endpoint, workflow, inputs={"user": ["2"]})
    assert ended.reasons == {"complete": 1}
    assert times[1] - times[0] >= 7


NO_DATA = {
    "an error in 200": (Play.json({"error": "no such user"}), "error_body"),
    "errors in 200": (Play.json({"errors": [{"message": "boom"}], "data": None}), "error_body"),
    "a page for people": (Play.html("<html><body>Welcome</body></html>"), "html_instead_of_json"),
    "a block page": (
        Play.html("<html>Checking your browser, just a moment...</html>"),
        "blocked",
    ),
    "text": (Play(body=b"OK", headers=[("Content-Type", "text/plain")]), "not_json"),
}


@pytest.mark.parametrize("name", NO_DATA)
async def test_R3_a_success_that_is_none(house: House, upstream: Scripted, name: str) -> None:
    """It makes no rows and no success; the ledger shows what came instead."""
    answer, code = NO_DATA[name]
    upstream.on("/users/*", answer)
    ended = await house.run(*over(upstream), inputs={"user": ["1"]})
    assert ended.status == "failed"
    assert ended.rows("response") == ended.rows() == []
    (line,) = ended.failures
    assert (line["error_code"], line["last_status"]) == (code, 200)
    assert line["sample"] == answer.body.decode()
    assert any("no rows" in warning for warning in ended.view["warnings"])


async def test_R3_a_204_has_no_rows_and_the_execution_says_so(house: House, upstream: Scripted) -> None:
    """Nothing is wrong, but an empty file never comes without a word."""
    upstream.on("/users/*", Play(status=204))
    ended = await house.run(*over(upstream), inputs={"user": ["1"]})
    assert ended.status == "succeeded"
    assert any("no rows" in warning for warning in ended.view["warnings"])
    assert ended.manifest["statuses"] == {"204": 1}


async def test_R4_a_storm_that_passes(house: House, upstream: Scripted) -> None:
    """Four refusals, each waited for, then rows."""
    upstream.on("/users/*", [Play(status=503)] * 4 + [page(rows(0, 3))])
    ended = await house.run(*over(upstream), inputs={"user": ["1"]})
    assert ended.reasons == {"complete": 1}
    assert len(ended.rows()) == 3
    assert ended.attempts == 5
    assert ended.manifest["statuses"] == {"200": 1, "503": 4}
    assert len(house.clock.slept) == 4


BOMB = gzip.compress(bytes(64 * 1024 * 1024))
ZIPPED = gzip.compress(page(rows(0, 1000)).body)
ENCODED = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
BROKEN = {
    "a storm": (Play(status=503), "service_unavailable", 5),
    "a reset": (Play(reset=True), "connection_lost", 5),
    "silence": (Play(silent=True), "timeout", 2),
    "a slow body": (
        Play(pieces=itertools.repeat(b" "), pause=0.02, headers=[("Content-Type", "application/json")]),
        "timeout",
        2,
    ),
    "a torn gzip": (Play(body=ZIPPED[:-20], headers=ENCODED), "bad_encoding", 5),
    "no gzip at all": (Play(body=b"{}", headers=ENCODED), "bad_encoding", 5),
    "a body that ends early": (Play(body=b'{"results": [', length=1000, close=True), "body_incomplete", 5),
    "an endless body": (Play(pieces=itertools.repeat(b"[" * 65536)), "response_too_large", 1),
    "a bomb": (Play(body=BOMB, headers=ENCODED), "response_too_large", 1),
    "endless headers": (
        Play.json({}, headers=[("X-Long", "x" * 200_000)]),
        "headers_too_large",
        1,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_R4_what_does_not_come_whole(house: House, upstream: Scripted, name: str) -> None:
    """Retried where that may help, with waits that grow; then a failed item that says why."""
    answer, code, attempts = BROKEN[name]
    upstream.on("/users/*", answer)
    limits = Limits(timeout=0.5, read_timeout=0.5, connect_timeout=0.4, max_response_bytes=1024 * 1024)
    if code not in ("timeout",):
        limits = replace(limits, timeout=180.0, read_timeout=120.0, connect_timeout=60.0)
    retry = RetryPolicy(max_attempts=attempts if code == "timeout" else 5)
    ended = await house.run(*over(upstream, limits=limits, retry=retry), inputs={"user": ["1"]})
    assert ended.reasons == {"failed": 1}
    (line,) = ended.failures
    assert (line["error_code"], line["attempts"]) == (code, attempts)
    assert line["retryable"] is (attempts > 1)
    await asyncio.to_thread(upstream.wait, attempts)  # one may be read when nobody waits for it any more
    assert len(upstream.asked) == ended.attempts == attempts
    assert len(house.clock.slept) == attempts - 1


class Tokens:
    """An upstream whose tokens are good for some requests, and which counts how often one was fetched."""

    def __init__(self, upstream: Scripted, good_for: int) -> None:
        self.good_for = good_for
        self.left = 0
        self.fetched = 0
        upstream.on("/token", self.give)
        upstream.on("/users/*", self.answer)

    def give(self, asked: Asked) -> Play:
        assert asked.body == b"client=swath&secret=very-secret-indeed"
        self.fetched, self.left = self.fetched + 1, self.good_for
        return Play.json({"access_token": f"token-number-{self.fetched}", "expires_in": 3600})

    def answer(self, asked: Asked) -> Play:
        right = asked.header("Authorization") == f"Bearer token-number-{self.fetched}"
        if not right or not self.left:
            return Play.json({"message": "token expired"}, status=401)
        self.left -= 1
        return page(rows(0, 2), echo=f"token-number-{self.fetched}")


def with_token(upstream: Scripted, **more: Any) -> tuple[Endpoint, Workflow]:
    secret = Variable(secret=True, default="very-secret-indeed")
    endpoint = Endpoint(
        name="e",
        url=upstream.url + "/users/{{user}}",
        headers={"Authorization": "Bearer {{token}}"},
        variables={"user": Variable(), "token": Variable(), "client_secret": secret},
    )
    auth = Refresh(
        variable="token",
        url=upstream.url + "/token",
        body=Body(form={"client": "swath", "secret": "{{client_secret}}"}),
    )
    return endpoint, Workflow(name="w", endpoint_id="", **{"auth": auth, "concurrency": WIDTH, **more})


async def test_R5_a_token_is_fetched_once_for_all(house: House, upstream: Scripted) -> None:
    """One fetch before the first request, and one more for all who are refused at the same time."""
    tokens = Tokens(upstream, good_for=8)
    ended = await house.run(*with_token(upstream), inputs={"user": ITEMS})
    assert ended.reasons == {"complete": len(ITEMS)}
    assert tokens.fetched == 2
    assert ended.attempts == len(upstream.asked)
    assert ended.kinds().count("auth_refreshed") == 2


async def test_R5_a_token_shows_nowhere(house: House, upstream: Scripted) -> None:
    """A long token that the upstream sends back is masked like any declared secret."""
    Tokens(upstream, good_for=100)
    ended = await house.run(*with_token(upstream), inputs={"user": ["1"]})
    told = f"{ended.view} {ended.failures} {ended.events} {ended.manifest} {ended.files}"
    assert "token-number" not in told
    assert "very-secret" not in told


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_R5_a_token_is_renewed_before_it_ends(
    house: House, upstream: Scripted, concurrency: int
) -> None:
    """What the answer says of its time is believed: no request is sent with an expired one, waited or not."""
    tokens = Tokens(upstream, good_for=100)
    limiter = Limiter(house, 4000, lambda now: [("Retry-After", "4000")])

    def play(asked: Asked) -> Play:
        return limiter(asked) if not limiter.refused else tokens.answer(asked)

    upstream.on("/users/*", play)
    given = with_token(upstream, retry=RetryPolicy(item_deadline=10_000), concurrency=concurrency)
    ended = await house.run(*given, inputs={"user": ["1", "2"]})
    assert ended.reasons == {"complete": 2}
    assert tokens.fetched == 2


async def test_R5_no_token_to_be_had(house: House, upstream: Scripted) -> None:
    """Every item fails with the reason, and can be retried; the token is not asked for once for each."""
    upstream.on("/token", Play.json({"error": "invalid_client"}, status=401))
    ended = await house.run(*with_token(upstream), inputs={"user": ITEMS})
    assert ended.reasons == {"failed": len(ITEMS)}
    assert {(line["error_code"], line["retryable"]) for line in ended.failures} == {("auth_failed", True)}
    assert len(upstream.asked) == 1


async def test_R5_a_token_that_is_never_accepted(house: House, upstream: Scripted) -> None:
    """An item that is refused with new tokens too has failed."""
    Tokens(upstream, good_for=0)
    ended = await house.run(*with_token(upstream), inputs={"user": ["1"]})
    assert ended.reasons == {"failed": 1}
    assert [line["error_code"] for line in ended.failures] == ["unauthorized"]
    assert len(upstream.asked) == 6


async def test_R5_without_a_way_to_refresh_the_item_fails(house: House, upstream: Scripted) -> None:
    """It can be retried: another token may be given to the next execution."""
    upstream.on("/users/*", Play(status=401))
    ended = await house.run(*over(upstream), inputs={"user": ["1"]})
    assert ended.reasons == {"failed": 1}
    (line,) = ended.failures
    assert (line["error_code"], line["retryable"], line["attempts"]) == ("unauthorized", True, 1)


async def test_R5_a_rule_can_ask_for_another_token(house: House, upstream: Scripted) -> None:
    """Some upstreams say it with 200 or 403."""
    tokens = Tokens(upstream, good_for=1)
    answers = iter([Play.json({"code": "TOKEN_EXPIRED"})])
    upstream.on("/users/*", lambda asked: next(answers, None) or tokens.answer(asked))
    rule = ResponseRule(action="refresh_auth", path="code", op="=", value="TOKEN_EXPIRED")
    ended = await house.run(*with_token(upstream, response_rules=(rule,)), inputs={"user": ["1"]})
    assert ended.reasons == {"complete": 1}
    assert tokens.fetched == 2


async def test_R5_a_token_ends_amid_an_item(house: House, upstream: Scripted) -> None:
    """The page that was refused is asked for again; none is lost or taken twice."""
    tokens = Tokens(upstream, good_for=3)

    def play(asked: Asked) -> Play:
        number = int(asked.query.get("page", "1"))
        answer = tokens.answer(asked)
        return answer if answer.status == 401 else page(rows(3 * number, 3) if number < 8 else [])

    upstream.on("/users/*", play)
    endpoint, workflow = with_token(upstream, paginator=Paginator(type="page_number", variable="page"))
    variables = {**endpoint.variables, "page": Variable(default="")}
    paged = Endpoint(
        name="e",
        url=endpoint.url,
        query={"page": "{{page}}"},
        headers=endpoint.headers,
        variables=variables,
    )
    ended = await house.run(paged, workflow, inputs={"user": ["1"]})
    assert [row["id"] for row in ended.rows()] == list(range(3, 24))
    assert tokens.fetched == 3
