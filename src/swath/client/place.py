"""Where the server is, and the token for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from swath.client.faults import NotReached

BASE = "/cloud/api/v1"
DEFAULT_URL = "http://127.0.0.1:8400"
OWN_MACHINE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Place:
    """A server's address, and who asks."""

    url: str
    token: str = field(repr=False)

    @property
    def api(self) -> str:
        return self.url + BASE

    @property
    def is_near(self) -> bool:
        """Whether it is this machine, which no proxy of the environment leads to."""
        return is_near(self.url)

    @classmethod
    def find(
        cls, url: str | None = None, token: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> "Place":
        """Return what is given, else SWATH_URL and SWATH_TOKEN, else this machine and the token in ./data.

        Raises NotReached without any token.
        """
        url = (url or environment.get("SWATH_URL") or DEFAULT_URL).rstrip("/").removesuffix(BASE)
        token = token or environment.get("SWATH_TOKEN") or _read_token(environment)
        return cls(url if "://" in url else f"http://{url}", token)


def is_near(url: str) -> bool:
    """Tell whether a URL leads to this machine."""
    return urlsplit(url).hostname in OWN_MACHINE


def _read_token(environment: Mapping[str, str]) -> str:
    file = Path(environment.get("SWATH_DATA_DIR") or "data") / "token"
    try:
        return file.read_text().strip()
    except OSError:
        raise NotReached(
            "This asks a server, and there is no token for one: set SWATH_TOKEN (and SWATH_URL), or go to "
            f"the server's folder, where {file} is. Without a server there is `swath run`."
        ) from None
