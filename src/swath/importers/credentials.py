"""Which values of a request are secrets, by the names that they have and by their look."""

import base64
import json
import re
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET: Final = frozenset(
    """authorization auth cookie password passwd passphrase pwd secret token apikey appkey accesskey
    signature sig session sessionid sid sessid phpsessid jsessionid credential credentials jwt
    bearer csrf xsrf pat otp apitoken authtoken accesstoken refreshtoken clientsecret idtoken""".split()  # noqa: SIM905
)
#: What stands before "key" in the name of a secret.
_KEYS: Final = frozenset(
    ["api", "access", "app", "application", "private", "secret", "subscription", "auth", "signing", "license"]
)
#: Words that make of a name with a secret word something harmless: page tokens, types, times.
_HARMLESS: Final = frozenset(
    """page next previous prev continuation cursor start sync pagination resume skip type name expires
    expiry mode method url uri limit count length enabled scheme grant""".split()  # noqa: SIM905
)
_LOOK: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r"|(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk[-_]|rk_live_|pk_live_|shpat_|npm_|hf_|ya29\.|AKIA|AIza|SG\.)"
    r"[\w.-]{12,}"
)
_SCHEME: Final = re.compile(r"(Bearer|Token|Basic|ApiKey|Key|OAuth|GenieKey|Bot|JWT)\s+(\S.*)", re.IGNORECASE)


def is_secret_name(name: str, *, alone: bool = False) -> bool:
    """Tell whether what has this name is a secret; `alone`: a bare `key` counts, as in queries."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or not _HARMLESS.isdisjoint(words):
        return False
    if not _SECRET.isdisjoint(words) or "".join(words) in _SECRET:
        return True
    pairs = pairwise(words)
    return any(word in _KEYS and key == "key" for word, key in pairs) or (alone and words == ["key"])


def secret_part(value: str) -> str | None:
    """Return the part of a value that looks like a secret, if any."""
    found = _LOOK.search(value)
    return found[0] if found else None


def split_scheme(value: str) -> tuple[str, str]:
    """Split an Authorization header into its scheme, with the space, and the credentials."""
    found = _SCHEME.fullmatch(value.strip())
    return (f"{found[1]} ", found[2]) if found else ("", value)


def basic(known: str) -> str:
    """Return what stands in the header for a user and a password, which may hold holes."""
    parts = re.split(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", known)
    if len(parts) == 1:
        return f"Basic {base64.b64encode(known.encode()).decode()}"
    texts = [part if n % 2 else json.dumps(part) for n, part in enumerate(parts) if part]
    return f"Basic {{{{ ({' ~ '.join(texts)}) | base64 }}}}"
