"""The address guard: which addresses requests may go to, and the one address that a name is pinned to.

A name is looked up here, every address of the answer is judged, and one of them is handed to the client
as the only place where the name may connect. So what was judged is what is connected to, whatever the
name server says a moment later.
"""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pyreqwest.http import Url

from swath.errors import AddressBlocked, FetchFault, SetupError

__all__ = ["PIN_AGE", "Guard", "Url", "is_allowed", "look_up", "read_proxy_url", "read_url", "target_of"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
#: Looks a name up; raises OSError where there is no answer.
Resolver = Callable[[str], Awaitable[Sequence[str]]]

#: Seconds after which a name is looked up again.
PIN_AGE = 60.0
#: Names remembered at a time.
MOST_PINS = 10_000

#: What this Python takes for public and is not, or may lead to an IPv4 address that we could not judge: 6to4
#: and its relays, site-local, documentation. The other translations are among the reserved addresses.
_FORBIDDEN = tuple(map(ip_network, ("2002::/16", "192.88.99.0/24", "fec0::/10", "3fff::/20")))
#: Names that lead inside, whoever looks them up.
_INNER = ("localhost", "local", "internal", "localdomain", "home.arpa", "lan", "intranet", "corp")


@dataclass(slots=True)
class _Pin:
    """The addresses of a name, all judged fit; the first is the one in use."""

    addresses: list[str]
    until: float


class Guard:
    """Decides where requests may go. One for the process, shared by all executions.

    `allowed_private` names addresses, networks and host names that are allowed although they are private.
    """

    def __init__(
        self,
        allowed_private: Sequence[str] = (),
        *,
        resolve: Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        entries = [entry.strip() for entry in allowed_private if entry.strip()]
        networks = {entry: _read_network(entry) for entry in entries}
        self._networks = [network for network in networks.values() if network is not None]
        self._names = {_read_name(entry) for entry, network in networks.items() if network is None}
        self._resolve = resolve or look_up
        self._clock = clock
        self._pins: OrderedDict[str, _Pin] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[_Pin]] = {}

    def now(self) -> float:
        return self._clock()

    async def pin(self, host: str) -> str | None:
        """Return the address that `host` must be pinned to; None for an address, which needs no pin.

        Raises AddressBlocked, or FetchFault where the name has no address.
        """
        known = self._pins.get(host)
        if known is not None and self._clock() < known.until:
            return known.addresses[0]
        address = read_address(host)
        if address is not None:
            self._judge(host, address)
            return None
        return (await self._look_up_once(host)).addresses[0]

    async def judge_name(self, host: str) -> None:
        """Judge a name that a proxy will look up: the name itself, and our own lookup where it has an answer.

        What the proxy finds, nobody here can know. Raises AddressBlocked.
        """
        if host not in self._names and _is_inner(host):
            raise AddressBlocked(f"{host} is a name of an inner network")
        try:
            await self.pin(host)
        except AddressBlocked:
            raise
        except FetchFault:
            return  # a name that only the proxy knows

    def avoid(self, host: str, address: str) -> bool:
        """Put an address that could not be connected to last; tells whether its name has another."""
        pin = self._pins.get(host)
        if pin is None:
            return False
        if pin.addresses[0] == address:
            pin.addresses.append(pin.addresses.pop(0))
        return pin.addresses[0] != address

    async def _look_up_once(self, host: str) -> _Pin:
        """Share one lookup among all who want the same name at the same time."""
        lookup = self._lookups.get(host)
        if lookup is None:
            lookup = self._lookups[host] = asyncio.create_task(self._look_up(host))
            lookup.add_done_callback(lambda _: self._lookups.pop(host, None))
        return await asyncio.shield(lookup)

    async def _look_up(self, host: str) -> _Pin:
        try:
            found = list(dict.fromkeys(await self._resolve(host)))
        except (OSError, UnicodeError) as error:
            raise _unknown_name(host, str(error)) from None
        if not found:
            raise _unknown_name(host, "no address")
        for text in found:
            self._judge(host, ip_address(text))
        return self._keep(host, found)

    def _keep(self, host: str, found: list[str]) -> _Pin:
        """Remember the addresses; the one in use stays first while the name still has it."""
        before = self._pins.pop(host, None)
        if before is not None and before.addresses[0] in found:
            found.remove(before.addresses[0])
            found.insert(0, before.addresses[0])
        pin = self._pins[host] = _Pin(found, self._clock() + PIN_AGE)
        if len(self._pins) > MOST_PINS:
            self._pins.popitem(last=False)
        return pin

    def _judge(self, host: str, address: Address) -> None:
        address = unwrap(address)
        if host in self._names or any(address in network for network in self._networks):
            return
        if not is_public(address):
            at = "" if str(address) == host.strip("[]") else f", at {address},"
            raise AddressBlocked(
                f"{host}{at} is not a public address; "
                "SWATH_ALLOWED_PRIVATE_HOSTS of a server, or --allow-private of `swath run`, can allow it"
            )


def read_url(text: str) -> Url:
    """Parse an address of a request. Raises FetchFault for one that cannot be requested.

    The client's own parser is the only one whose reading counts: others find another host in
    `http://a\\@127.0.0.1`. A final dot of the host is taken off, for it would escape the pin.
    """
    try:
        url = Url(text)
    except ValueError:
        raise _bad_url("is not a URL") from None
    host = url.host_str
    if url.scheme not in ("http", "https") or not host:
        raise _bad_url("has no scheme of http or https, or no host")
    if host.endswith("."):
        if not host.strip("."):
            raise _bad_url("has no host")
        url = url.with_host(host.rstrip("."))
    return url


def read_proxy_url(text: str) -> Url | None:
    """Parse the URL of a proxy, None for what is none."""
    try:
        return Url(text)
    except ValueError:
        return None


def target_of(url: str) -> str:
    """Return what a rate limit and an exit's bans mean by a target: host and port, or "" of no URL."""
    end = url.find("/", url.find("//") + 2)
    return _target_of(url if end < 0 else url[:end])


@lru_cache(maxsize=1024)
def _target_of(origin: str) -> str:
    try:
        parsed = read_url(origin)
    except FetchFault:
        return ""
    return f"{parsed.host_str}:{parsed.port_or_known_default}"


def is_allowed(url: Url, own: str, allowed: Sequence[str]) -> bool:
    """Tell whether a redirect or next URL may lead to `url`: to the own host, or one that is allowed.

    An entry is a host, `host:port`, `*.example.org` for all names below one, or `*`.
    """
    host = url.host_str or ""
    return host == own or any(_fits(entry.lower(), host, url.port_or_known_default) for entry in allowed)


def read_address(host: str) -> Address | None:
    """Return the address that a host of a URL is, None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def unwrap(address: Address) -> Address:
    """Return the IPv4 address inside of an IPv4-mapped one."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet, and of one machine there."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _FORBIDDEN)


async def look_up(host: str) -> list[str]:
    """Ask the system for the addresses of a name, in the order in which it would try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _fits(entry: str, host: str, port: int | None) -> bool:
    if entry.startswith("*."):
        return host.endswith(entry[1:])
    return entry in ("*", host, f"{host}:{port}")


def _is_inner(host: str) -> bool:
    if read_address(host) is not None:
        return False
    return "." not in host or host.endswith(tuple(f".{name}" for name in _INNER))


def _read_network(entry: str) -> Network | None:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _read_name(entry: str) -> str:
    try:
        host = Url(f"http://{entry}/").host_str
    except ValueError:
        host = None
    if not host or "/" in entry or "@" in entry:
        raise SetupError(
            f"SWATH_ALLOWED_PRIVATE_HOSTS: {entry!r} is neither an address, a network nor a host name."
        )
    return host.rstrip(".")


def _unknown_name(host: str, reason: str) -> FetchFault:
    return FetchFault("dns_failed", f"{host} has no address: {reason}", sent=False, blame="target")


def _bad_url(problem: str) -> FetchFault:
    return FetchFault("bad_url", f"the address {problem}", sent=False, blame="request", retryable=False)
