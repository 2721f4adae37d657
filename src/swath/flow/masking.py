"""Secrets are masked by value: wherever the text came from, the value does not pass."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from swath.flow.definition import Endpoint, Json

MASK = "********"
#: Shorter values would mask ordinary words; they are kept out by place instead.
SHORTEST = 4


class Masker:
    """Replaces the values it was made of, plain or encoded, by a mask."""

    def __init__(self, secrets: Iterable[str]) -> None:
        variants = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        ordered = sorted(variants, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def mask(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    def __repr__(self) -> str:
        return "Masker()"


def visible(inputs: Mapping[str, Json], endpoint: Endpoint) -> dict[str, Json]:
    """Return inputs without those that are secret variables of the endpoint."""
    secret = {name for name, variable in endpoint.variables.items() if variable.secret}
    return {name: value for name, value in inputs.items() if name not in secret}


def _forms(secret: str) -> set[str]:
    """Return how a value looks plain, URL-encoded, inside JSON and in base64."""
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        base64.b64encode(secret.encode()).decode(),
    }
