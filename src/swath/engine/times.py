"""The clock, as the store keeps time."""

from time import time_ns


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time_ns() // 1_000_000
