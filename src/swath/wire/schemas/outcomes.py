"""What routes of every kind answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """What is wrong, field by field."""

    errors: list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What is gone."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """The execution that was queued."""

    id: str
