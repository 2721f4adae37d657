"""What went wrong, in sentences, and the exit code for it."""

import re
import sys

from swath.errors import FieldError, SetupError

SUCCEEDED, FAILED, WRONG_USAGE, PARTIALLY_FAILED = 0, 1, 2, 3
#: By the status that an execution ended with.
BY_STATUS = {"succeeded": SUCCEEDED, "partially_failed": PARTIALLY_FAILED}
#: Statuses of the API by which what was asked for is at fault.
_REFUSALS = (400, 404, 409)


class Wrong(Exception):
    """The command was used in a way that cannot work; says what to do. `file` is what it speaks of."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("; ".join(lines))


def explain(error: Exception) -> tuple[list[str], int]:
    """Return the lines to show and the exit code. Raises the error anew where it is nobody's mistake."""
    if isinstance(error, Wrong):
        return list(error.lines), WRONG_USAGE
    if isinstance(error, SetupError):
        return [str(error)], WRONG_USAGE
    if isinstance(error, FieldError):
        return [tell(field, message) for field, message in error.fields], WRONG_USAGE
    client = sys.modules.get("swath.client.faults")  # only what was loaded can have been raised
    if client is not None and isinstance(error, client.ApiError):
        lines = [tell(field, message) for field, message in error.fields.items()]
        return lines, WRONG_USAGE if error.status in _REFUSALS else FAILED
    if client is not None and isinstance(error, client.NotReached | client.ExecutionFailed):
        return [str(error)], FAILED
    raise error


def find_fields(error: Exception) -> list[tuple[str, str]]:
    """Return what a refusal says of fields, ours or a server's; empty where it is none."""
    client = sys.modules.get("swath.client.faults")
    if isinstance(error, FieldError):
        return list(error.fields)
    if client is not None and isinstance(error, client.ApiError) and error.status in _REFUSALS:
        return list(error.fields.items())
    return []


def tell(field: str, message: str, file: str | None = None) -> str:
    """Return a finding as a line: `FILE:LINE: field: message`, as far as file and line are known."""
    found = re.match(r"Line (\d+): ", message)
    if file is None or found is None:
        return f"{field}: {message}"
    return f"{file}:{found[1]}: {field}: {message[found.end() :]}"
