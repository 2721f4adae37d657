"""Whose fault a failed exchange is, read from the client's chain of causes.

The classes of the client's errors do not tell: a target that hangs before its headers raises a connect
timeout just as a dead proxy does. The chain does: `client error (Connect)` means that nothing of the
request was sent, `client error (SendRequest)` that it may have been.
"""

from collections.abc import Sequence
from typing import NamedTuple

from swath.errors import Blame, FetchFault

#: What the text of a cause means before anything was sent, by the first that fits.
_CONNECTING = (
    ("proxy authorization required", "proxy_auth_required", "the proxy wants other credentials"),
    ("credentials not accepted", "proxy_auth_required", "the proxy wants other credentials"),
    ("user/pass authentication", "proxy_auth_required", "the proxy wants other credentials"),
    ("error: failed to create", "proxy_unreachable", "the proxy cannot be reached"),
    ("end of file", "proxy_broke", "the proxy ended the connection"),
    ("io error", "proxy_broke", "the proxy ended the connection"),
    ("tunnel error", "proxy_refused", "the proxy refused to connect to the target"),
    ("socks proxy", "proxy_refused", "the proxy refused to connect to the target"),
    ("dns error", "dns_failed", "the name has no address"),
    ("certificate", "tls_failed", "the certificate is not valid"),
    ("tls", "tls_failed", "no TLS handshake came about"),
    ("handshake", "tls_failed", "no TLS handshake came about"),
    ("timed out", "connect_timeout", "no connection within the time allowed"),
    ("tcp connect error", "connect_failed", "no connection"),
)
#: And while an answer is under way.
_EXCHANGING = (
    ("message head is too large", "headers_too_large", "the answer has too many or too long headers"),
    ("timed out", "timeout", "no whole answer within the time allowed"),
    ("invalid http", "bad_response", "the answer is not HTTP"),
    ("end of file before", "body_incomplete", "the body ended before its length"),
    ("error reading a body", "connection_lost", "the connection ended amid the body"),
    ("error decoding response body", "bad_encoding", "the body does not decompress"),
)
#: Trying these again gives the same.
_FINAL = frozenset({"headers_too_large"})
#: Headers that say nothing of who wrote an answer, and the bytes of a page that do.
_ON_THE_WAY = frozenset({"date", "content-length", "connection", "keep-alive", "transfer-encoding"})
_OPENING = 16
#: These say that an answer came, and from the target unless a plain proxy stands between.
_ANSWERED = frozenset({"headers_too_large", "bad_encoding"})


def fault_of(causes: Sequence[str], scheme: str, plain: bool) -> FetchFault:
    """Return the fault for a chain of causes.

    `scheme` is that of the exit's proxy, empty for a direct connection; `plain` is whether the target is
    spoken to without TLS. The causes' own texts, which hold the URL, are not repeated.
    """
    chain = [cause.lower() for cause in causes]
    if any("client error (connect)" in cause for cause in chain):
        return _connect_fault(chain, scheme, plain)
    code, message = _find(chain, _EXCHANGING, ("connection_lost", "the connection ended before the answer"))
    blame: Blame = "unknown" if scheme and not (code in _ANSWERED and not plain) else "target"
    return FetchFault(code, message, sent=True, blame=blame, retryable=code not in _FINAL)


def _connect_fault(chain: Sequence[str], scheme: str, plain: bool) -> FetchFault:
    code, message = _find(chain, _CONNECTING, ("connect_failed", "no connection"))
    if not scheme:
        return FetchFault(code, message, sent=False, blame="target")
    straight = scheme.startswith("http") and plain
    if straight or code in ("connect_failed", "dns_failed"):
        # The only connection there was to be made is the one to the proxy.
        code, message = "proxy_unreachable", f"the proxy cannot be reached: {message}"
    return FetchFault(code, message, sent=False, blame="exit")


def _find(
    chain: Sequence[str], known: Sequence[tuple[str, str, str]], otherwise: tuple[str, str]
) -> tuple[str, str]:
    for text, code, message in known:
        if any(text in cause for cause in chain):
            return code, message
    return otherwise


def proxy_fault(status: int, headers: Sequence[tuple[str, str]]) -> FetchFault | None:
    """Return what a proxy says for itself in place of the target's answer; without TLS it can."""
    if status == 407:
        return FetchFault("proxy_auth_required", "the proxy wants other credentials", sent=True, blame="exit")
    if status >= 500 and any(_is_of_proxy(name, value) for name, value in headers):
        return proxy_error(status)
    return None


def proxy_error(status: int) -> FetchFault:
    """Return the fault of a proxy that answered in the target's place."""
    return FetchFault("proxy_error", f"the proxy answered {status} by itself", sent=True, blame="exit")


def _is_of_proxy(name: str, value: str) -> bool:
    """Tell whether a header says that a proxy made up the answer: by RFC 9209, or as Squid says it."""
    return (name == "proxy-status" and "error=" in value) or name == "x-squid-error"


class Trace(NamedTuple):
    """By what an error page tells who wrote it, whatever the error is."""

    names: frozenset[str]
    server: str
    kind: str
    opening: bytes


def trace_of(headers: Sequence[tuple[str, str]], body: bytes) -> Trace:
    """Return the trace of an answer whose header names are lower case."""
    told = dict(headers)
    opening = body.lstrip()[:_OPENING]
    return Trace(frozenset(told) - _ON_THE_WAY, told.get("server", ""), told.get("content-type", ""), opening)
