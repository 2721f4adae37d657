"""Try a proxy now: does it live, and what comes back through it."""

import time
from dataclasses import dataclass

from swath.engine.exits import Exit
from swath.engine.fetcher import Fetcher
from swath.engine.guard import read_url
from swath.engine.health import ill, well
from swath.engine.times import now_ms
from swath.errors import FetchFault, InvalidInput
from swath.flow.definition import Limits
from swath.flow.request import Request
from swath.operations.context import Context, User
from swath.operations.proxies import way_of
from swath.store import proxies

#: A test is waited for by somebody.
LIMITS = Limits(timeout=20.0, read_timeout=15.0, max_response_bytes=1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTest:
    """What to ask for through the proxy; without a `url` only the proxy itself is asked."""

    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyReport:
    """How a test went. `latency` in seconds; a status is no fault, unless it is the proxy's own."""

    ok: bool
    latency: float
    status_code: int | None
    error_code: str | None
    message: str | None
    tested_at: int


async def try_proxy(context: Context, user: User, proxy_id: str, asked: ProxyTest) -> ProxyReport:
    """Try a proxy now; what is learnt of it is remembered as its health. Raises NotFound, InvalidInput."""
    exit = Exit(*await way_of(context, user, proxy_id))
    if asked.url is not None:
        _check_url(asked.url)
    begun = time.perf_counter()
    status, fault = await _try(context.engine.fetcher, exit, asked.url)
    took = round(time.perf_counter() - begun, 6)
    if fault is None or fault.blame == "exit":
        learnt = well(took) if fault is None else ill(fault.code)
        await context.database.write(proxies.note_health, {proxy_id: learnt})
    return ProxyReport(
        ok=fault is None,
        latency=took,
        status_code=status,
        error_code=fault.code if fault else None,
        message=fault.message if fault else None,
        tested_at=now_ms(),
    )


def _check_url(url: str) -> None:
    try:
        read_url(url)
    except FetchFault as fault:
        raise InvalidInput("url", f"{fault.message[0].upper()}{fault.message[1:]}.") from None


async def _try(fetcher: Fetcher, exit: Exit, url: str | None) -> tuple[int | None, FetchFault | None]:
    """Return the status that came back, and what went wrong."""
    if url is None:
        return None, await fetcher.proxies.knock(exit)
    try:
        answer = await fetcher.fetch(Request("GET", url, ()), exit, LIMITS)
    except FetchFault as fault:
        return None, fault
    return answer.status, None
