"""What a client raises."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The server refused. `fields` says what is wrong with which field."""

    def __init__(self, status: int, fields: Mapping[str, str]) -> None:
        self.status = status
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name}: {message}" for name, message in fields.items()))

    @classmethod
    def of(cls, status: int, body: Any) -> "ApiError":
        """Read the envelope; what is none is told by its status."""
        listed = body.get("errors") if isinstance(body, dict) else None
        fields = {name: str(message) for each in listed or [] for name, message in each.items()}
        return cls(status, fields or {"server": f"answered {status} without saying why"})


class NotReached(Exception):
    """The server cannot be reached, or the token is not known where it is."""


class ExecutionFailed(Exception):
    """An execution ended without a result that can be used."""
