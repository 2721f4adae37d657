"""A request goes through an exit that is well; what is at fault rests, be it an exit or a pair."""

from typing import Any

import pytest
from tests.engine.clock import Clock

from swath.engine.exits import (
    DIRECT,
    FIRST_REST,
    LONGEST_REST,
    MOST_IN_A_ROW,
    PROBE_TIME,
    Exit,
    ExitPool,
    parse_proxy_url,
)
from swath.errors import InvalidInput

A, B, C = (Exit(name, "shared", "nyc", f"http://user:secret@{name}.test:8080") for name in "abc")
T, U = "t.test:443", "u.test:443"
DEAD = "proxy_unreachable"


class Events(list[tuple[str, dict[str, Any]]]):
    def report(self, kind: str, data: dict[str, Any]) -> None:
        self.append((kind, data))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def pool(clock: Clock, events: Events) -> ExitPool:
    return ExitPool([A, B, C], report=events.report, clock=clock.now)


def names(pool: ExitPool, count: int, target: str = T) -> str:
    return "".join(pool.choose(target).id for _ in range(count))


def fail(pool: ExitPool, exit: Exit, code: str = DEAD, times: int = MOST_IN_A_ROW, target: str = T) -> None:
    for _ in range(times):
        pool.report_fault(exit, target, code)


def test_the_least_recently_used_exit_is_next(pool: ExitPool) -> None:
    """All take turns, towards each target by itself."""
    assert names(pool, 7) == "abcabca"
    assert names(pool, 4, U) == "abca"
    assert names(pool, 2) == "bc"


def test_without_exits_the_way_is_direct() -> None:
    assert ExitPool([]).choose(T) == DIRECT


def test_x1_a_dead_exit_rests_for_all_targets(pool: ExitPool, events: Events) -> None:
    """After a few faults in a row it gets no more requests; the event says which, why and how long."""
    fail(pool, B)
    assert names(pool, 4) == "acac"
    assert names(pool, 2, U) == "ac"
    assert events == [
        (
            "exit_quarantined",
            {"exit": "b", "location": "nyc", "target": T, "code": DEAD, "seconds": FIRST_REST},
        )
    ]


def test_a_few_faults_are_no_illness(pool: ExitPool, events: Events) -> None:
    """What counts is faults in a row: a success between starts the count anew."""
    for _ in range(5):
        fail(pool, B, times=MOST_IN_A_ROW - 1)
        pool.report_success(B, T)
    assert names(pool, 3) == "abc"
    assert events == []


def test_x1_wrong_credentials_leave_no_doubt(pool: ExitPool) -> None:
    """407 rests at once: each further request would be refused too."""
    pool.report_fault(B, T, "proxy_auth_required")
    assert names(pool, 2, U) == "ac"


def test_after_its_rest_one_request_is_the_probe(pool: ExitPool, clock: Clock, events: Events) -> None:
    """Until that one has come through, no other goes; then the exit is as good as any."""
    fail(pool, B)
    clock.time += FIRST_REST
    chosen = names(pool, 6)
    assert chosen.count("b") == 1
    pool.report_success(B, T)
    assert "b" in names(pool, 3)
    assert events.kinds == ["exit_quarantined", "exit_revived"]


def test_the_rest_grows_while_the_probes_fail(pool: ExitPool, clock: Clock, events: Events) -> None:
    """Twice as long each time, up to a bound; a revival starts it anew."""
    fail(pool, B)
    for _ in range(9):
        clock.time += events[-1][1]["seconds"]
        while pool.choose(T) != B:
            pass
        pool.report_fault(B, T, DEAD)
    rests = [data["seconds"] for _, data in events]
    assert rests[:4] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST, 8 * FIRST_REST]
    assert rests[-1] == LONGEST_REST
    clock.time += LONGEST_REST
    names(pool, 3)
    pool.report_success(B, T)
    fail(pool, B)
    assert events[-1][1]["seconds"] == FIRST_REST


def test_a_probe_that_never_ends_is_repeated(pool: ExitPool, clock: Clock) -> None:
    """A cancelled request reports nothing; the exit is not lost for that."""
    fail(pool, B)
    clock.time += FIRST_REST
    assert "b" in names(pool, 3)
    clock.time += PROBE_TIME
    assert "b" in names(pool, 3)


def test_faults_from_before_the_rest_do_not_prolong_it(pool: ExitPool, events: Events) -> None:
    """Sixteen requests were under way when the exit died: that is one illness, not five."""
    fail(pool, B, times=16)
    assert len(events) == 1


def test_x2_a_ban_counts_for_the_pair_of_exit_and_target(pool: ExitPool, events: Events) -> None:
    """The exit is still good for other targets, and the target is served by the other exits."""
    for _ in range(MOST_IN_A_ROW):
        pool.report_ban(B, T, "http_403")
    assert names(pool, 4) == "acac"
    assert names(pool, 3, U) == "abc"
    assert events[0][1]["code"] == "http_403"


def test_x2_a_success_elsewhere_does_not_lift_a_ban(pool: ExitPool) -> None:
    for _ in range(MOST_IN_A_ROW):
        pool.report_ban(B, T)
    pool.report_success(B, U)
    assert names(pool, 2) == "ac"


@pytest.mark.parametrize("code", ["proxy_refused", "tls_failed", "connect_timeout"])
def test_a_dead_target_does_not_put_exits_into_quarantine(pool: ExitPool, code: str) -> None:
    """A refused CONNECT may be the target's doing: the exit rests towards that target only."""
    fail(pool, B, code)
    assert names(pool, 3, U) == "abc"
    assert names(pool, 2, T) == "ac"


def test_where_no_exit_is_well_the_one_that_rests_least_goes(pool: ExitPool, clock: Clock) -> None:
    """The execution goes on, and its items can tell of the faults."""
    for exit in (B, A, C):
        fail(pool, exit)
        clock.time += 1
    assert pool.choose(T) == B
    assert pool.choose(T, avoid=B) == A


def test_a_swap_takes_another_exit(pool: ExitPool, events: Events) -> None:
    """The exit that just failed is not asked again, and the event names both."""
    assert names(pool, 1) == "a"
    after = pool.choose(T, avoid=B)
    assert after == C
    pool.report_swap(B, after, T, DEAD)
    pool.report_swap(B, B, T, DEAD)
    assert events == [("exit_swapped", {"from": "b", "to": "c", "target": T, "code": DEAD})]


def test_a_single_exit_is_always_taken() -> None:
    pool = ExitPool([A])
    fail(pool, A)
    assert pool.choose(T) == pool.choose(T, avoid=A) == A


def test_sticky_items_keep_their_exit(clock: Clock) -> None:
    """Every request of an item goes through one exit while that is well, and then through one other."""
    pool = ExitPool([A, B, C], sticky=True, clock=clock.now)
    assert [pool.choose(T, item).id for item in (1, 2, 3, 1, 2, 3, 1)] == list("abcabca")
    fail(pool, B)
    moved = pool.choose(T, 2)
    assert moved != B
    assert pool.choose(T, 2) == pool.choose(U, 2) == moved
    pool.forget(2)
    assert len(pool._kept) == 2


def test_without_sticky_items_move() -> None:
    pool = ExitPool([A, B])
    assert [pool.choose(T, 1).id for _ in range(4)] == list("abab")


def test_a_thousand_exits_take_turns(clock: Clock) -> None:
    """Each is asked once in a thousand requests, the dead ones never."""
    many = [Exit(str(n), "shared", "nyc", f"http://p{n}.test") for n in range(1_000)]
    pool = ExitPool(many, clock=clock.now)
    for exit in many[:500]:
        fail(pool, exit)
    chosen = [pool.choose(T).id for _ in range(1_000)]
    assert sorted(chosen, key=int) == [str(n) for n in range(500, 1_000) for _ in range(2)]


def test_memory_does_not_grow_with_targets(pool: ExitPool) -> None:
    for number in range(1_000):
        exit = pool.choose(f"t{number}")
        pool.report_ban(exit, f"t{number}")
        pool.report_success(exit, f"t{number}")
    assert len(pool._lines) <= 100
    assert not pool._ill_towards


def test_credentials_do_not_show() -> None:
    """Neither in `repr` nor in the label that people see."""
    assert "secret" not in repr(A)
    assert A.label == "http://***@a.test:8080"
    assert DIRECT.label == "direct"
    assert Exit("x", "custom", url="socks5://h.test:1080").label == "socks5://h.test:1080"


def test_only_an_administrators_proxy_is_exempt_from_the_guard() -> None:
    assert A.exempt
    assert not Exit("x", "custom", url="http://h.test").exempt
    assert not Exit("x", "dedicated", url="http://h.test", trusted=False).exempt


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("host.test:8080", "http://host.test:8080"),
        ("user:pass@host.test:8080", "http://user:pass@host.test:8080"),
        ("  http://host.test:8080/ ", "http://host.test:8080"),
        ("https://host.test", "https://host.test"),
        ("SOCKS5://host.test:1080", "socks5://host.test:1080"),
        ("socks5h://u:p@host.test:1080", "socks5h://u:p@host.test:1080"),
        ("10.0.0.1:3128", "http://10.0.0.1:3128"),
        ("[::1]:3128", "http://[::1]:3128"),
        ("u%40corp:p%3Aw@host.test:1", "http://u%40corp:p%3Aw@host.test:1"),
    ],
)
def test_a_proxys_url_is_read(text: str, url: str) -> None:
    """Real clients leave the scheme out; then it is an HTTP proxy."""
    assert parse_proxy_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "  ", "ftp://host", "http://", "://x", "host:port", "host:99999", "user:secret@", "http://host/path",
     "http://host?x=secret", "http://host#x", "a b", "socks4://secret@host"],
)  # fmt: skip
def test_a_nonsense_url_is_refused_by_name(text: str) -> None:
    """The message names the field and never repeats what may be a password."""
    with pytest.raises(InvalidInput) as refused:
        parse_proxy_url(text, "proxy.url")
    ((name, message),) = refused.value.fields
    assert name == "proxy.url"
    assert "secret" not in message
