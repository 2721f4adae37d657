"""No scope sees more than its limit, whoever asks, and nobody waits longer than that takes."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from tests.engine.clock import Clock

from swath.engine.joint import Held, heed
from swath.engine.pacing import HIGHEST_RATE, LOWEST_RATE, MOST_SCOPES, Pace, Pacer, Tempo
from swath.errors import InvalidInput

TARGET = Pace("target", 10)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pacer(clock: Clock) -> Pacer:
    return Pacer(clock=clock.now, sleep=clock.sleep)


def ask(pacer: Pacer, clock: Clock, wanted: Sequence[Sequence[Pace]]) -> "asyncio.Future[list[float]]":
    """All ask at once; comes to when each request went, in seconds from now."""
    begun = clock.time

    async def one(paces: Sequence[Pace]) -> float:
        await pacer.slot(paces)
        return round(clock.time - begun, 6)

    return asyncio.gather(*[one(paces) for paces in wanted])


async def times(pacer: Pacer, clock: Clock, wanted: Sequence[Sequence[Pace]]) -> list[float]:
    return await clock.run(ask(pacer, clock, wanted))


def most_within(times: Sequence[float], seconds: float) -> int:
    """The most requests in any window of so many seconds."""
    return max(sum(begun <= time < begun + seconds - 1e-9 for time in times) for begun in times)


async def test_requests_are_spread_evenly(pacer: Pacer, clock: Clock) -> None:
    """Ten per second are one every 100 ms, from the first on, in the order of asking."""
    assert await times(pacer, clock, [[TARGET]] * 5) == [0, 0.1, 0.2, 0.3, 0.4]


async def test_a_request_without_a_limit_goes_at_once(pacer: Pacer, clock: Clock) -> None:
    assert await times(pacer, clock, [[], [Pace("unlimited")], [Pace("unlimited")]]) == [0, 0, 0]


async def test_a_minute_is_a_unit_too(pacer: Pacer, clock: Clock) -> None:
    assert await times(pacer, clock, [[Pace("target", 30, 60)]] * 3) == [0, 2, 4]


async def test_idle_time_is_not_saved_up(pacer: Pacer, clock: Clock) -> None:
    """After an hour without requests there is no burst."""
    await times(pacer, clock, [[TARGET]])
    clock.time += 3600
    assert await times(pacer, clock, [[TARGET]] * 3) == [0, 0.1, 0.2]


async def test_a_busy_process_forfeits_slots(pacer: Pacer, clock: Clock) -> None:
    """When the process was busy for two seconds, one slot is made up for, the others are not."""
    waiting = asyncio.gather(*[pacer.slot([TARGET]) for _ in range(30)])
    await clock.settle()
    clock.time += 2.0
    gone = []

    async def note() -> None:
        await pacer.slot([TARGET])
        gone.append(clock.time)

    await clock.run(asyncio.gather(waiting, *[note() for _ in range(5)]))
    begun = clock.time
    assert begun - 1_000.0 >= 2.0 + 3.2
    assert most_within(gone, 1.0) <= 11


@pytest.mark.parametrize("rate", [1, 5, 20, 200])
async def test_the_worst_second_holds_one_more_than_the_limit(pacer: Pacer, clock: Clock, rate: int) -> None:
    """Also with a process that is now and then too busy to hand out slots in time."""
    gone: list[float] = []

    async def one() -> None:
        await pacer.slot([Pace("target", rate)])
        gone.append(clock.time)

    everybody = asyncio.gather(*[one() for _ in range(rate * 5)])
    step = 0
    while not everybody.done():
        await clock.settle()
        if not everybody.done():
            clock.wake()
            clock.time += (0, 0.013, 0, 0.3, 0.001)[step % 5]
            step += 1
    allowed = rate + 1 if rate <= 20 else rate * 1.05 + 1
    assert most_within(gone, 1.0) <= allowed


async def test_a_request_takes_a_slot_of_every_scope(pacer: Pacer, clock: Clock) -> None:
    """Through two exits of one per second each, a target of ten per second sees two per second."""
    exits = [Pace("exit a", 1), Pace("exit b", 1)]
    wanted = [[TARGET, exits[n % 2]] for n in range(6)]
    gone = await times(pacer, clock, wanted)
    assert [int(time) for time in gone] == [0, 0, 1, 1, 2, 2]
    assert gone[2] - gone[0] == gone[4] - gone[2] == 1.0


async def test_more_exits_do_not_multiply_the_targets_limit(pacer: Pacer, clock: Clock) -> None:
    """Thirty exits of one per second each, and a target of ten: the target sees ten."""
    wanted = [[TARGET, Pace(f"exit {n % 30}", 1)] for n in range(60)]
    gone = await times(pacer, clock, wanted)
    assert most_within(gone, 1.0) <= 11
    assert max(gone) == pytest.approx(5.9, abs=0.2)


async def test_a_slow_scope_does_not_hold_up_another(pacer: Pacer, clock: Clock) -> None:
    """Requests that wait for a slow exit hold no slot of the target: others go meanwhile."""
    slow, fast = Pace("slow exit", 1, 60), Pace("fast exit", 100)
    wanted = [[TARGET, slow]] * 5 + [[TARGET, fast]] * 5
    gone = await times(pacer, clock, wanted)
    assert gone[5:] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert gone[:5] == [0, 60, 120, 180, 240]


async def test_the_first_to_ask_goes_first(pacer: Pacer, clock: Clock) -> None:
    """Whoever comes while others wait queues behind them, even at the moment when a slot is due."""
    order: list[int] = []

    async def one(number: int) -> None:
        await pacer.slot([TARGET])
        order.append(number)

    early = [asyncio.ensure_future(one(n)) for n in range(4)]
    await clock.settle()
    clock.time += 0.1
    late = [asyncio.ensure_future(one(n)) for n in (4, 5)]
    await clock.run(asyncio.gather(*early, *late))
    assert order == [0, 1, 2, 3, 4, 5]


async def test_r1_a_pause_holds_the_whole_scope(pacer: Pacer, clock: Clock) -> None:
    """Those who wait already and those who come later go when it is over, at the pace, and not earlier."""
    waiting = ask(pacer, clock, [[TARGET]] * 3)
    await clock.settle()
    pacer.pause_for("target", 4)
    later = ask(pacer, clock, [[TARGET]])
    assert await clock.run(waiting) == [0, 4.0, 4.1]
    assert await clock.run(later) == [4.2]


async def test_a_pause_holds_a_scope_without_a_limit(pacer: Pacer, clock: Clock) -> None:
    pacer.pause_for("target", 4)
    assert await times(pacer, clock, [[Pace("target")], [Pace("other")]]) == [4, 0]
    assert await times(pacer, clock, [[Pace("target")]]) == [0]


async def test_of_two_pauses_the_longer_holds(pacer: Pacer, clock: Clock) -> None:
    pacer.pause("target", clock.time + 9)
    pacer.pause("target", clock.time + 2)
    assert pacer.paused_for(["target", "other"]) == 9
    assert await times(pacer, clock, [[TARGET]]) == [9]


async def test_who_stops_waiting_takes_no_slot(pacer: Pacer, clock: Clock) -> None:
    """A cancelled request leaves its place to the next."""
    await pacer.slot([TARGET])
    cancelled = asyncio.ensure_future(pacer.slot([TARGET]))
    after = ask(pacer, clock, [[TARGET]])
    await clock.settle()
    cancelled.cancel()
    assert await clock.run(after) == [0.1]


async def test_a_new_limit_is_in_force_at_the_next_request(pacer: Pacer, clock: Clock) -> None:
    """The limit comes with each request, so a changed one needs no word to the pacer."""
    assert await times(pacer, clock, [[Pace("target", 1)]] * 2) == [0, 1]
    assert await times(pacer, clock, [[Pace("target", 4)]] * 3) == [1, 1.25, 1.5]


async def test_a_slot_can_be_had_at_once_or_not_at_all(pacer: Pacer, clock: Clock) -> None:
    """Not while one is due later in any scope, nor before those who wait."""
    assert pacer.try_slot([TARGET])
    assert not pacer.try_slot([TARGET, Pace("other")])
    clock.time += 0.1
    waiting = ask(pacer, clock, [[TARGET], [TARGET]])
    await clock.settle()
    clock.time += 0.1
    assert not pacer.try_slot([TARGET])
    assert await clock.run(waiting) == [0, 0.1]


async def test_a_slot_that_is_given_back_is_the_next(pacer: Pacer, clock: Clock) -> None:
    """As if it had not been taken; a pause since then holds all the same."""
    assert pacer.try_slot([TARGET])
    pacer.give_back([TARGET])
    assert pacer.try_slot([TARGET])
    pacer.pause_for("target", 4)
    pacer.give_back([TARGET])
    assert await times(pacer, clock, [[TARGET]]) == [4]


async def test_a_scope_whose_limit_changed_starts_anew(pacer: Pacer, clock: Clock) -> None:
    """A slot that the old limit had due in an hour is due now; a pause holds."""
    await pacer.slot([Pace("target", 1, 3600)])
    pacer.restart("target")
    assert await times(pacer, clock, [[TARGET]] * 2) == [0, 0.1]
    pacer.pause_for("target", 4)
    pacer.restart("target")
    assert await times(pacer, clock, [[TARGET]]) == [4]


async def test_idle_scopes_are_forgotten(pacer: Pacer, clock: Clock) -> None:
    """A million hosts, one after the other, leave no million scopes behind; a pause is remembered."""
    pacer.pause_for("paused", 1e6)
    for number in range(MOST_SCOPES + 10):
        await pacer.slot([Pace(f"host {number}", 100)])
        clock.time += 1
    assert len(pacer._scopes) < 100
    assert pacer.paused_for(["paused"]) > 0


async def test_slots_can_come_from_elsewhere(clock: Clock) -> None:
    """Two processes that reserve from one place share its limit, block by block."""
    due = {"target": clock.time}

    async def reserve(key: str, interval: float, count: int) -> float:
        start = max(due[key], clock.time)
        due[key] = start + count * interval
        return start - clock.time

    pacers = [Pacer(reserve=reserve, clock=clock.now, sleep=clock.sleep) for _ in range(2)]
    gone: list[float] = []

    async def one(pacer: Pacer) -> None:
        await pacer.slot([Pace("target", 20), Pace("unlimited")])
        gone.append(clock.time)

    await clock.run(asyncio.gather(*[one(pacers[n % 2]) for n in range(80)]))
    assert most_within(gone, 1.0) <= 21
    assert max(gone) - min(gone) == pytest.approx(79 / 20, abs=0.3)


async def test_reserved_slots_are_forfeited_when_late(clock: Clock) -> None:
    """A process that was asleep does not use a block that it reserved before."""
    asked = []

    async def reserve(key: str, interval: float, count: int) -> float:
        asked.append(clock.time)
        return 0.0

    pacer = Pacer(reserve=reserve, clock=clock.now, sleep=clock.sleep)
    await clock.run(pacer.slot([Pace("target", 20)]))
    clock.time += 10
    await clock.run(pacer.slot([Pace("target", 20)]))
    assert asked == [1_000.0, 1_010.0]


async def test_a_failing_reservation_reaches_those_who_wait(clock: Clock) -> None:
    """When the place that keeps the slots is gone, nobody waits for ever."""

    async def reserve(key: str, interval: float, count: int) -> float:
        raise ConnectionError("the database is gone")

    pacer = Pacer(reserve=reserve, clock=clock.now, sleep=clock.sleep)
    with pytest.raises(ConnectionError):
        await clock.run(pacer.slot([TARGET]))


async def test_closing_cancels_those_who_wait(pacer: Pacer, clock: Clock) -> None:
    await pacer.slot([TARGET])
    waiting = asyncio.ensure_future(pacer.slot([TARGET]))
    await clock.settle()
    await pacer.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("pace", [(0, 1.0), (-1, 1.0), (1, 0.0), (1, float("inf"))])
def test_a_limit_that_is_none_is_refused(pace: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput):
        Pace("target", *pace)


def test_the_automatic_pace_finds_what_a_target_bears() -> None:
    """It gets near a limit of 50 per second that nobody told it, and stays there."""
    tempo, seen, time = Tempo("target"), [], 0.0
    for _ in range(120):
        sent = int(tempo.rate)
        for _ in range(min(sent, 50)):
            tempo.succeed()
        for _ in range(sent - 50):
            tempo.strain(time)
        time += 1.0
        seen.append(tempo.rate)
    assert min(seen[10:]) > 30
    assert max(seen[10:]) < 56
    assert tempo.interval == Pace("target", tempo.rate).interval


async def test_who_waits_goes_by_the_pace_that_is_found_meanwhile(pacer: Pacer, clock: Clock) -> None:
    """Forty that came while it was four a second need not ten seconds, but as long as doubling takes."""
    tempo, gone = Tempo("target"), []

    async def one() -> None:
        await pacer.slot([tempo])
        gone.append(clock.time)
        tempo.succeed()

    begun = clock.time
    await clock.run(asyncio.gather(*[one() for _ in range(40)]))
    assert gone[-1] - begun < 3


@pytest.mark.parametrize("refused", [True, False])
def test_a_refusal_elsewhere_slows_this_process_as_well(refused: bool) -> None:
    """A pause alone does not, as when an allowance is used up; nor does what an older version tells."""
    heard = []
    told = Held(held="scope", seconds=2.0, refused=refused)
    for text in (msgspec.json.encode(told).decode(), '{"held":"scope","seconds":2}', "an execution's id"):
        taken = heed(text, lambda *pause: heard.append(pause), lambda key: heard.append((key, "slower")))
        assert taken is (text[0] == "{")
    assert heard == [("scope", "slower")] * refused + [("scope", 2.0)] * 2


def test_the_automatic_pace_stays_within_bounds() -> None:
    tempo = Tempo("target")
    for second in range(100):
        tempo.strain(float(second))
    assert tempo.rate == LOWEST_RATE
    fresh = Tempo("target")
    for _ in range(20_000):
        fresh.succeed()
    assert fresh.rate == HIGHEST_RATE
