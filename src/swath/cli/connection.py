"""The server that commands speak to."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swath.client import Client


def connect() -> "Client":
    """Return a client of the server at SWATH_URL, with the token of SWATH_TOKEN or ./data/token."""
    from swath.client import Client  # noqa: PLC0415 - help and completion need no HTTP client

    return Client()
