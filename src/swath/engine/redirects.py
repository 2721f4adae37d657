"""Redirects, followed by hand: where one leads, and what of the request goes there."""

import re
from collections.abc import Sequence
from dataclasses import replace

from msgspec.structs import replace as change

from swath.engine.guard import Url, is_allowed, read_url
from swath.errors import FetchFault
from swath.flow.request import Request

STATUSES = frozenset({301, 302, 303, 307, 308})
#: Headers that only the origin they were meant for may see.
_SECRET = re.compile(
    r"authorization|cookie|token|secret|password|signature|session|(^|[-_])(api|auth|key)", re.I
)
#: Headers that belong to a body.
_OF_BODY = re.compile(r"^(content-|transfer-encoding$|expect$)", re.I)
_HOST = re.compile(r"^host$", re.I)


def location_of(status: int, headers: Sequence[tuple[str, str]]) -> str | None:
    """Return where an answer redirects to, None where it does not."""
    if status not in STATUSES:
        return None
    return next((value for name, value in headers if name == "location"), None)


def resolve(base: str, location: str) -> Url:
    """Return the address that a location means. Raises FetchFault where it means none."""
    try:
        return read_url(str(read_url(base).join(location)))
    except (ValueError, FetchFault):
        raise refused("its location is no address to go to") from None


def next_request(request: Request, status: int, to: Url, own: str, allowed: Sequence[str]) -> Request:
    """Return the request that follows a redirect. Raises FetchFault where it must not be followed.

    `own` is the host of the first request, `allowed` the further hosts of the workflow.
    """
    before = read_url(request.url)
    if before.scheme == "https" and to.scheme == "http":
        raise refused("it leads from https to http")
    if not is_allowed(to, own, allowed):
        raise refused(f"{to.host_str} is not among the workflow's allowed hosts")
    moved = _without(_rewrite(request, status), _HOST)
    if to.origin_ascii != before.origin_ascii:
        moved = _without(moved, _SECRET)
        moved = change(moved, tls=moved.tls and replace(moved.tls, client=None))
    return change(moved, url=str(to))


def refused(reason: str) -> FetchFault:
    return FetchFault(
        "redirect_refused",
        f"the redirect is not followed: {reason}",
        sent=True,
        blame="target",
        retryable=False,
    )


def _rewrite(request: Request, status: int) -> Request:
    """Make a GET of what browsers make one of: a POST after 301 and 302, all but HEAD after 303."""
    rewritten = request.method == "POST" if status in (301, 302) else status == 303
    if not rewritten or request.method in ("GET", "HEAD"):
        return request
    return change(_without(request, _OF_BODY), method="GET", body=None)


def _without(request: Request, names: re.Pattern[str]) -> Request:
    kept = tuple(header for header in request.headers if not names.search(header[0]))
    return change(request, headers=kept)
