"""The proxy of a curl command: an entry among the formula's proxies; its login goes with the secrets."""

import re
from typing import Final
from urllib.parse import quote

from pyreqwest.http import Url

from swath.importers.imported import Draft
from swath.importers.options import Options

#: The options that name a proxy, and the scheme that each means where none is written.
_SCHEMES: Final = {
    "proxy": "http",
    "proxy1.0": "http",
    "socks5": "socks5",
    "socks5-hostname": "socks5h",
}
_KNOWN: Final = ("http", "https", "socks5", "socks5h")
#: Where curl takes a proxy to listen that has no port.
_PORTS: Final = {"https": 443}
_USUAL_PORT: Final = 1080
_PORT: Final = re.compile(r":\d+/?$")


def add_proxy(options: Options, draft: Draft) -> None:
    """Keep the proxy that a command names, and say how it is chosen."""
    named = next((name for name in _SCHEMES if options.last(name)), None)
    if named is None:
        if options.has("proxy-user"):
            draft.note("The option --proxy-user was left out: the command names no proxy.")
        return
    url = _read(options.last(named), _SCHEMES[named], options.last("proxy-user"))
    if url is None:
        draft.note(
            f"The proxy of --{named} was left out, for its address cannot be read: add it under proxies as "
            "http://host:port, and give its login with --secret proxies.NAME=URL."
        )
        return
    location = str(url.host_str)
    bare = str(url.with_username("").with_password(None)).rstrip("/")
    name = draft.add_proxy(location, {"location": location, "url": bare}, str(url).rstrip("/"))
    draft.note(f"The proxy {name} is no part of a request: choose it with --proxy dedicated:{location}.")


def _read(text: str, scheme: str, login: str) -> Url | None:
    written = text if "://" in text else f"{scheme}://{text}"
    try:
        url = Url(written)
    except ValueError:
        return None
    if url.scheme not in _KNOWN or not url.host_str or "{" in written:
        return None
    if not _PORT.search(written):
        url = url.with_port(_PORTS.get(url.scheme, _USUAL_PORT))
    if login:
        user, _, password = login.partition(":")
        url = url.with_username(quote(user, safe="")).with_password(quote(password, safe=""))
    return url
