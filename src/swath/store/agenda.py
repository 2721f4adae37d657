"""What there is to be begun or ended, seen in one look: whoever is idle looks once a second."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from swath.store import admission, executions, limits, recipes, webhooks
from swath.store.admission import Room


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a look has found. Deliveries are (execution, id, attempts so far), limits milliseconds."""

    #: Whether somebody may be let in.
    outside: bool
    expired: Sequence[tuple[str, int]]
    executions: Sequence[str]
    combinations: Sequence[tuple[str, int]]
    deliveries: Sequence[tuple[str, str, int]]


def look(connection: Connection, room: Room, now: int, due: int) -> Agenda:
    """Return what is to be done `now`, and the deliveries that are due by their own clock."""
    return Agenda(
        outside=admission.is_anyone_outside(connection, room),
        expired=limits.find_expired(connection, now),
        executions=executions.find_waiting(connection),
        combinations=recipes.find_waiting(connection),
        deliveries=webhooks.find_due(connection, due),
    )
