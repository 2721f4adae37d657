"""What an answer means, and how long to wait after it."""

from swath.flow.verdict.complaints import may_tell_error
from swath.flow.verdict.judge import (
    ERROR_CODES,
    UNPARSED,
    Judge,
    Verdict,
    backoff,
    wait_hint,
)

__all__ = [
    "ERROR_CODES",
    "UNPARSED",
    "Judge",
    "Verdict",
    "backoff",
    "may_tell_error",
    "wait_hint",
]
