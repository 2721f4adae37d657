"""An upstream that is gone for all: items wait for it together, none fails, nothing is lost or twice."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.hostile.house import PATIENCE, House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.flow.definition import Endpoint, Limits, RetryPolicy, Variable, Workflow
from swath.operations import executions

ITEMS = [str(number) for number in range(40)]
GONE = {
    "reset": Play(reset=True),
    "no answer": Play(silent=True),
    "503": Play.json({"message": "no healthy upstream"}, status=503),
    "502": Play.html("<html><body>Bad Gateway</body></html>", status=502),
}


class Leaving:
    """Answers some requests, then is gone for so many seconds of the house's clock."""

    def __init__(self, house: House, seconds: float, play: Play, answers: int = 7) -> None:
        self._clock, self._seconds, self._play, self._answers = house.clock, seconds, play, answers
        self._left: float | None = None
        self.served: Counter[str] = Counter()
        self.in_vain = 0

    def __call__(self, asked: Asked) -> Play:
        if self._left is None and sum(self.served.values()) == self._answers:
            self._left = self._clock.now
        if self._left is not None and self._clock.now < self._left + self._seconds:
            self.in_vain += 1
            return self._play
        self.served[asked.path] += 1
        return page(rows(int(asked.path.rpartition("/")[2]), 1))


def over(
    upstream: Scripted, leaving: Leaving, seconds: float = 180.0, **more: Any
) -> tuple[Endpoint, Workflow]:
    """One item for each user; an answer that takes so many seconds is none."""
    for item in ITEMS:
        upstream.on(f"/users/{item}", leaving)
    endpoint = Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables={"user": Variable()})
    limits = Limits(timeout=seconds, connect_timeout=seconds / 2, read_timeout=seconds / 2)
    return endpoint, Workflow(name="w", endpoint_id="", concurrency=4, limits=limits, **more)


@pytest.mark.parametrize("how", GONE)
async def test_C2_an_upstream_is_gone_for_ten_minutes(house: House, upstream: Scripted, how: str) -> None:
    """Far longer than any item's tries last, and it is asked seldom meanwhile."""
    leaving = Leaving(house, 600, GONE[how])
    silent = how == "no answer"
    ended = await house.run(*over(upstream, leaving, 0.8 if silent else 180.0), {"user": ITEMS})
    assert (ended.status, ended.failures) == ("succeeded", [])
    assert [row["id"] for row in ended.rows()] == [int(item) for item in ITEMS]
    if not silent:  # else an answer may have come too late, too
        assert set(leaving.served.values()) == {1}
    assert leaving.in_vain <= 60


async def test_C2_an_upstream_that_stays_away_pauses_the_execution(house: House, upstream: Scripted) -> None:
    """With the reason, once an item might wait no longer; resumed it goes on where it was."""
    leaving = Leaving(house, 100_000, GONE["503"])
    asked = over(upstream, leaving, retry=RetryPolicy(item_deadline=900.0))
    execution_id = await house.begin(*asked, {"user": ITEMS})
    async with asyncio.timeout(PATIENCE):
        while (view := await house.show(execution_id))["status"] != "paused":  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # clients poll, too
    assert view["waiting_for"].startswith("Paused: 127.0.0.1:")
    assert "it answers 503" in view["waiting_for"]
    async with asyncio.timeout(PATIENCE):  # whoever waits for its turn is not to ask an upstream that is back
        while house.context.engine._worker.live:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    house.clock.now += 100_000
    await executions.resume(house.context, house.user, execution_id)
    assert (await house.show(execution_id))["waiting_for"] is None
    ended = await house.end(execution_id)
    assert (ended.status, ended.failures) == ("succeeded", [])
    assert set(leaving.served.values()) == {1}
    assert ended.kinds().count("paused") == 1


async def test_what_is_one_items_trouble_stays_its_own(house: House, upstream: Scripted) -> None:
    """Others are answered meanwhile: it has its tries, and fails."""
    leaving = Leaving(house, 0, GONE["reset"])
    asked = over(upstream, leaving)
    upstream.on("/users/9", lambda asked: Play(reset=True))
    ended = await house.run(*asked, {"user": ITEMS})
    assert ended.reasons == {"complete": len(ITEMS) - 1, "failed": 1}


async def test_an_upstream_that_never_answered_is_not_waited_for(house: House, upstream: Scripted) -> None:
    """Its address may be wrong: items fail at once, and say why."""
    leaving = Leaving(house, 600, GONE["503"], answers=0)
    ended = await house.run(*over(upstream, leaving), {"user": ITEMS[:4]})
    assert (ended.status, ended.reasons) == ("failed", {"failed": 4})
