"""Addresses as sources write them: whether one can be asked, its host, and a name for what is there."""

import re
from typing import Final
from urllib.parse import unquote

from pyreqwest.http import Url

from swath.errors import InvalidInput
from swath.importers.holes import Veil, plain_braces

_NO_NAME: Final = re.compile(r"v?\d[\w.-]*|api|rest|index|x9Hole\d+x9|[0-9a-f-]{16,}", re.IGNORECASE)


def parse_address(url: str, field: str = "url") -> Url:
    """Return an absolute http or https URL. Raises InvalidInput for the field that it was given in."""
    try:
        parsed = Url(url)
    except ValueError:
        raise InvalidInput(field, f"{url!r} is not an absolute URL. Write it as https://host/path.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host_str:
        raise InvalidInput(field, f"{url!r} is not an http or https URL, which is all that Swath asks.")
    return parsed


def is_address(url: str) -> bool:
    """Tell whether a text is an address that can be asked."""
    try:
        return bool(parse_address(url))
    except InvalidInput:
        return False


def authority_of(url: str) -> str:
    """Return the host of a URL, with its port where that is not the scheme's."""
    parsed = parse_address(url)
    return f"{parsed.host_str}:{parsed.port}" if parsed.port else str(parsed.host_str)


def name_of(url: str) -> str:
    """Return a name for what is at a URL: the last words of its path, else its host."""
    veil = Veil()
    try:
        parsed = Url(veil.cover(plain_braces(url)))
    except ValueError:
        return "Request"
    words = [unquote(each) for each in parsed.path.split("/") if each and not _NO_NAME.fullmatch(each)]
    if not words:
        return parsed.host_str or "Request"
    text = re.sub(r"[-_.\s{}]+", " ", " ".join(words[-2:])).strip()
    return text[:1].upper() + text[1:60] if text else "Request"
