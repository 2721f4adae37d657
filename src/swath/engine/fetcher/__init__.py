"""The only part that talks to the outside: one request through one exit, bounded in size and time."""

from swath.engine.fetcher.answer import Answer
from swath.engine.fetcher.client import CERTIFICATE
from swath.engine.fetcher.fetch import Fetcher

__all__ = ["CERTIFICATE", "Answer", "Fetcher"]
