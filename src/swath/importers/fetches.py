"""Calls of `fetch` in JavaScript, as browsers copy them."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.holes import literal
from swath.importers.imported import Draft
from swath.importers.sent import Sent

CALL: Final = re.compile(r"\bfetch\(\s*(?=[\"'`])")
#: What of a call says only how a browser sends it.
_HARMLESS: Final = frozenset(
    "mode credentials referrerPolicy cache redirect keepalive integrity priority duplex".split()  # noqa: SIM905
)

#: A request, what its workflow is given, and lists that it names: neither is in a call.
Found = tuple[Sent, dict[str, Json], dict[str, list[str]]]


def find_fetches(text: str, draft: Draft) -> Iterator[Found]:
    """Yield the requests of a script whose calls are written out, as JSON. Raises InvalidInput."""
    for call in CALL.finditer(text):
        url, options = _read(text, call.end())
        yield _build(url, options, draft), {}, {}


def _read(text: str, at: int) -> tuple[str, dict[str, Any]]:
    decoder = json.JSONDecoder(strict=False)
    try:
        url, end = decoder.raw_decode(text, at)
        comma = re.compile(r"\s*,\s*(?=\{)").match(text, end)
        options = decoder.raw_decode(text, comma.end())[0] if comma else {}
    except ValueError:
        raise InvalidInput(
            "command", "The call of fetch is not written out as a browser copies it. Copy it as cURL instead."
        ) from None
    return str(url), options


def _build(url: str, options: dict[str, Any], draft: Draft) -> Sent:
    given = options.get("headers")
    headers = [(str(name), str(value)) for name, value in given.items()] if isinstance(given, dict) else []
    names = {name.lower() for name, _ in headers}
    if options.get("referrer") and "referer" not in names:
        headers.append(("Referer", str(options["referrer"])))
    if options.get("credentials") == "include" and "cookie" not in names:
        draft.note("The browser's cookies are not in a call of fetch: where they are wanted, copy as cURL.")
    for name in options.keys() - _HARMLESS - {"headers", "referrer", "body", "method"}:
        draft.note(f"The option {name} of fetch was left out: Swath has nothing that corresponds.")
    body = options.get("body")
    return Sent(
        url=literal(url),
        method=str(options.get("method") or "GET"),
        headers=[(name, literal(value)) for name, value in headers],
        body=None if body is None else literal(str(body)),
    )
