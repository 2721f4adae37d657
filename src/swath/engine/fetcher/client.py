"""The client in our words: how one is built, how a request is put to it, what its answers and errors mean."""

import re
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, ClientClosedError, PyreqwestError
from pyreqwest.http import HeaderMap, Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest

from swath import __version__
from swath.engine.blame import fault_of
from swath.engine.clients import Route
from swath.engine.exits import Exit
from swath.engine.fetcher.answer import Headers
from swath.errors import FetchFault
from swath.flow.definition import Tls
from swath.flow.request import Request

#: One certificate in PEM.
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
USER_AGENT = f"Swath/{__version__}"


def build(roots: bytes | None, route: Route) -> Client:
    """Return a client for a route that trusts `roots`, certificates in PEM, beside the usual ones."""
    builder = (
        ClientBuilder()
        .no_proxy()  # what the environment names is not ours to use
        .follow_redirects(False)
        .referer(False)
        .user_agent(USER_AGENT)
        .http1_ignore_invalid_headers_in_responses(True)
        .connect_timeout(timedelta(seconds=route.connect_timeout))
        .read_timeout(timedelta(seconds=route.read_timeout))
    )
    for host, address in route.pins:
        builder = builder.resolve(host, address, 0)  # a port here would replace the scheme's
    if route.proxy is not None:
        builder = builder.proxy(ProxyBuilder.all(route.proxy))
    try:
        return _certify(builder, roots, route.tls).build()
    except (ValueError, BuilderError):  # its text may repeat a secret
        raise FetchFault(
            "bad_certificate", "a certificate of `tls` cannot be used", False, "request", False
        ) from None


def _certify(builder: ClientBuilder, roots: bytes | None, tls: Tls | None) -> ClientBuilder:
    """Add the authorities to trust beside the usual ones, and who we are."""
    trusted = (roots or b"") + (tls.ca or "").encode() if tls else roots or b""
    for certificate in CERTIFICATE.findall(trusted):
        builder = builder.add_root_certificate_pem(certificate)
    return builder.identity_pem(tls.client.encode()) if tls and tls.client else builder


def prepare(client: Client, request: Request, url: Url, seconds: float) -> StreamRequest:
    """Put a request to a client, for so many seconds at most. Raises FetchFault for what cannot be sent."""
    try:
        builder = client.request(request.method, url).timeout(timedelta(seconds=seconds))
        if request.headers:
            builder = builder.headers(request.headers)
        if request.body is not None:
            builder = builder.body_bytes(request.body)
        return builder.build_streamed()
    except ValueError:  # its text may repeat a secret
        raise FetchFault(
            "bad_request",
            "the method or a header cannot be sent",
            sent=False,
            blame="request",
            retryable=False,
        ) from None


def read_headers(headers: HeaderMap) -> Headers:
    """Return the headers in their order, names in lower case; what is not ASCII is unreadable."""
    try:
        return tuple(headers.items())
    except ValueError:  # a value is not ASCII: the client does not give it, but the others
        return tuple((name, value) for name in dict.fromkeys(headers) for value in _values(headers, name))


def _values(headers: HeaderMap, name: str) -> list[str]:
    try:
        return headers.getall(name)
    except ValueError:
        return ["\ufffd"]


def read_fault(error: PyreqwestError, exit: Exit, url: Url) -> FetchFault:
    """Return what went wrong on the way to `url` through an exit."""
    if isinstance(error, ClientClosedError):
        return stopped("the process is ending")
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    return fault_of(causes, exit.scheme, url.scheme == "http")


def stopped(message: str) -> FetchFault:
    return FetchFault("stopped", message, sent=True, blame="request")
