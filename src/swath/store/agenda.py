"""What there is to be begun or ended, seen in one look: whoever is idle looks once a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap

from sqlalchemy import Connection

from swath.store import admission, executions, limits, recipes, webhooks
from swath.store.admission import Room
from swath.store.work import Combination, Delivery, Execution, Work


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a look has found. Limits are milliseconds."""

    #: Whether somebody may be let in.
    outside: bool
    expired: Sequence[tuple[str, int]]
    #: What is to be begun.
    waiting: Sequence[Work]


def look(connection: Connection, room: Room, now: int, due: int) -> Agenda:
    """Return what is to be done `now`, and the deliveries that are due by their own clock."""
    return Agenda(
        outside=admission.is_anyone_outside(connection, room),
        expired=limits.find_expired(connection, now),
        waiting=[
            *map(Execution, executions.find_waiting(connection)),
            *starmap(Combination, recipes.find_waiting(connection)),
            *starmap(Delivery, webhooks.find_due(connection, due)),
        ],
    )
