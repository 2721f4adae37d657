"""The guard lets nobody inside, however an address is spelled and whatever a name server says."""

import asyncio
import socket
from collections.abc import Sequence

import pytest
from tests.engine.clock import Clock

from swath.engine.guard import MOST_PINS, PIN_AGE, Guard, is_allowed, read_url, target_of
from swath.errors import AddressBlocked, FetchFault, SetupError

PUBLIC = "93.184.215.14"


class Names:
    """A name server whose answers a test sets; `asked` counts the lookups."""

    def __init__(self, **answers: Sequence[str]) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        await asyncio.sleep(0)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.answers[host]


def guard_of(*allowed: str, clock: Clock | None = None, **answers: Sequence[str]) -> tuple[Guard, Names]:
    names = Names(**answers)
    return Guard(allowed, resolve=names, clock=(clock or Clock()).now), names


def host_of(url: str) -> str:
    return read_url(url).host_str or ""


PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_address_is_blocked(address: str) -> None:
    """As it stands in a URL, and as what a name server says, alone or among public ones."""
    guard, _ = guard_of(a_test=[address], b_test=[PUBLIC, address])
    written = f"[{address}]" if ":" in address else address
    for host in (host_of(f"http://{written}/"), "a.test", "b.test"):
        with pytest.raises(AddressBlocked):
            await guard.pin(host)


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "::ffff:8.8.8.8", "2606:4700:4700::1111", "172.32.0.1"]
)
async def test_a_public_address_is_not(address: str) -> None:
    """An address needs no pin; a name is pinned to what it has."""
    guard, names = guard_of(a_test=[address])
    written = f"[{address}]" if ":" in address else address
    assert await guard.pin(host_of(f"http://{written}/")) is None
    assert await guard.pin("a.test") == address
    assert names.asked == ["a.test"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://127.0.0.1./",
        "http://[::ffff:7f00:1]/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://user@127.0.0.1/",
        "http://a.test@127.0.0.1/",
        "http://127.0.0.1\\@a.test/",
        "\thttp://127.0.0.1\n/",
        "http:127.0.0.1",
        "http:\\\\127.0.0.1",
    ],
)
async def test_no_spelling_gets_past(url: str) -> None:
    """What is judged is the host that the client will connect to, read with the client's own parser."""
    guard, _ = guard_of(a_test=[PUBLIC])
    with pytest.raises(AddressBlocked):
        await guard.pin(host_of(url))


def test_another_reading_of_the_host_is_not_ours() -> None:
    """Python's own parser sees 127.0.0.1 here, browsers and the client see a."""
    assert host_of(r"http://a\@127.0.0.1") == "a"
    assert host_of("http://a.test#@127.0.0.1/") == "a.test"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/x",
        "ftp://a.test/",
        "file:///etc/passwd",
        "http://",
        "http:///",
        "data:,x",
        "http://a b/",
        "http://a%00b/",
    ],
)
def test_what_cannot_be_requested_is_no_url(url: str) -> None:
    with pytest.raises(FetchFault) as fault:
        read_url(url)
    assert (fault.value.code, fault.value.sent, fault.value.retryable) == ("bad_url", False, False)


def test_a_final_dot_is_taken_off() -> None:
    """With the dot the client would ask another name server entry than the one that is pinned."""
    assert str(read_url("http://a.test./x?y#z")) == "http://a.test/x?y#z"
    assert target_of("http://A.test.:80/") == target_of("http://a.test/") == "a.test:80"
    assert target_of("nonsense") == ""


async def test_dns_rebinding_has_no_effect_while_pinned() -> None:
    """Public at first, private a moment later: the first answer is what the client is pinned to."""
    clock = Clock()
    guard, names = guard_of(clock=clock, a_test=[PUBLIC])
    assert await guard.pin("a.test") == PUBLIC
    names.answers["a.test"] = ["127.0.0.1"]
    clock.time += PIN_AGE - 0.1
    assert await guard.pin("a.test") == PUBLIC
    assert names.asked == ["a.test"]
    clock.time += 0.1
    with pytest.raises(AddressBlocked):
        await guard.pin("a.test")


async def test_a_pin_stays_as_long_as_the_name_has_it() -> None:
    """Name servers turn their answers around; that is no reason for a new connection."""
    clock = Clock()
    guard, names = guard_of(clock=clock, a_test=["8.8.8.8", "8.8.4.4"])
    assert await guard.pin("a.test") == "8.8.8.8"
    names.answers["a.test"] = ["8.8.4.4", "8.8.8.8"]
    clock.time += PIN_AGE
    assert await guard.pin("a.test") == "8.8.8.8"
    names.answers["a.test"] = ["8.8.4.4"]
    clock.time += PIN_AGE
    assert await guard.pin("a.test") == "8.8.4.4"


async def test_an_address_that_cannot_be_connected_to_gives_way_to_the_next() -> None:
    guard, _ = guard_of(a_test=["8.8.8.8", "8.8.4.4"], b_test=["8.8.8.8"])
    assert await guard.pin("a.test") == "8.8.8.8"
    assert guard.avoid("a.test", "8.8.8.8")
    assert await guard.pin("a.test") == "8.8.4.4"
    assert guard.avoid("a.test", "8.8.8.8")  # somebody else's failure, from before
    assert await guard.pin("a.test") == "8.8.4.4"
    await guard.pin("b.test")
    assert not guard.avoid("b.test", "8.8.8.8")
    assert not guard.avoid("c.test", "8.8.8.8")


async def test_one_lookup_serves_all_who_ask_at_once() -> None:
    guard, names = guard_of(a_test=[PUBLIC])
    assert await asyncio.gather(*[guard.pin("a.test") for _ in range(50)]) == [PUBLIC] * 50
    assert names.asked == ["a.test"]


async def test_a_name_without_an_address_is_a_fault_that_may_pass() -> None:
    """Nothing was sent, and asking again later may help; so it does."""
    guard, names = guard_of(b_test=[])
    for host in ("a.test", "b.test"):
        with pytest.raises(FetchFault) as fault:
            await guard.pin(host)
        assert (fault.value.code, fault.value.sent, fault.value.blame) == ("dns_failed", False, "target")
        assert fault.value.retryable
    names.answers["a.test"] = [PUBLIC]
    assert await guard.pin("a.test") == PUBLIC


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/"),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
        ("127.0.0.0/8", "http://127.1.2.3/"),
        ("10.0.0.0/8", "http://inner.test/"),
        ("::1", "http://[::1]/"),
        ("[::1]", "http://[::1]/"),
        ("fd00::/8", "http://[fd00::5]/"),
        ("inner.test", "http://inner.test/"),
        ("Inner.TEST.", "http://inner.test./"),
        ("localhost", "http://LOCALHOST/"),
    ],
)
async def test_the_allow_list_names_addresses_networks_and_names(allowed: str, url: str) -> None:
    answers = {"inner_test": ["10.0.0.7"], "localhost": ["127.0.0.1", "::1"]}
    closed, _ = guard_of(**answers)
    with pytest.raises(AddressBlocked):
        await closed.pin(host_of(url))
    guard, _ = guard_of("192.168.7.7", allowed, "", **answers)
    await guard.pin(host_of(url))


async def test_an_allowed_name_does_not_allow_its_address() -> None:
    """Nor does an allowed address allow its neighbours."""
    guard, _ = guard_of("inner.test", "10.0.0.9", inner_test=["10.0.0.7"], other_test=["10.0.0.7"])
    assert await guard.pin("inner.test") == "10.0.0.7"
    for host in ("10.0.0.7", "other.test"):
        with pytest.raises(AddressBlocked):
            await guard.pin(host)


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "a b", "user@host", "http://x/", "a/b"])
def test_an_entry_that_reads_as_nothing_stops_the_start(entry: str) -> None:
    with pytest.raises(SetupError, match="SWATH_ALLOWED_PRIVATE_HOSTS"):
        Guard([entry])


@pytest.mark.parametrize(
    "host", ["localhost", "router", "a.localhost", "metadata.google.internal", "printer.local", "x.home.arpa"]
)
async def test_through_a_proxy_the_name_is_judged(host: str) -> None:
    """The proxy looks it up, so a name that leads inside is blocked by what it is called."""
    guard, _ = guard_of(**{host: [PUBLIC]})
    with pytest.raises(AddressBlocked):
        await guard.judge_name(host)
    allowing, _ = guard_of(host, **{host: ["10.0.0.1"]})
    await allowing.judge_name(host)


async def test_through_a_proxy_our_own_lookup_is_judged_where_there_is_one() -> None:
    """A name that only the proxy knows goes; one that we know to lead inside does not."""
    guard, _ = guard_of(a_test=[PUBLIC], b_test=["10.0.0.1"])
    await guard.judge_name("a.test")
    await guard.judge_name("unknown.test")
    for host in ("b.test", "127.0.0.1", "[::1]"):
        with pytest.raises(AddressBlocked):
            await guard.judge_name(host)


async def test_memory_does_not_grow_with_names() -> None:
    guard, names = guard_of()
    names.answers = {f"h{n}.test": [PUBLIC] for n in range(MOST_PINS + 20)}
    for host in names.answers:
        await guard.pin(host)
    assert len(guard._pins) == MOST_PINS


async def test_the_message_names_the_host_the_address_and_the_way_out() -> None:
    guard, _ = guard_of(a_test=["10.0.0.1"])
    with pytest.raises(AddressBlocked, match=r"a\.test, at 10\.0\.0\.1,.*SWATH_ALLOWED_PRIVATE_HOSTS"):
        await guard.pin("a.test")


async def test_the_systems_own_resolver_is_asked() -> None:
    """Without a resolver of a test's own, `localhost` is looked up as ever, and is private."""
    with pytest.raises(AddressBlocked):
        await Guard().pin("localhost")
    assert await Guard(["localhost"]).pin("localhost") in ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("url", "allowed", "expected"),
    [
        ("http://own.test/", (), True),
        ("https://own.test:8443/", (), True),
        ("http://other.test/", (), False),
        ("http://other.test/", ("other.test",), True),
        ("http://other.test/", ("Other.Test",), True),
        ("http://other.test:81/", ("other.test:81",), True),
        ("http://other.test:82/", ("other.test:81",), False),
        ("http://a.other.test/", ("other.test",), False),
        ("http://a.other.test/", ("*.other.test",), True),
        ("http://another.test/", ("*.other.test",), False),
        ("http://evilother.test/", ("*.other.test",), False),
        ("http://anything.test/", ("*",), True),
    ],
)
def test_allowed_hosts(url: str, allowed: tuple[str, ...], expected: bool) -> None:
    assert is_allowed(read_url(url), "own.test", allowed) is expected
