"""A GraphQL API with one Relay connection, as Strawberry makes it: `readings(station, first, after)`."""

from collections.abc import Iterable
from typing import Any

import strawberry
from strawberry import relay
from strawberry.asgi import GraphQL
from tests.servers.readings import everything


@strawberry.type
class Name:
    de: str
    en: str | None


@strawberry.type
class Place:
    lat: float
    name: Name


@strawberry.type
class Reading(relay.Node):
    number: relay.NodeID[int]
    station: str
    taken_at: str
    level: int | None
    value: float
    valid: bool
    note: str | None
    tags: list[str]
    place: Place


def describe(row: dict[str, Any]) -> Reading:
    place = Place(lat=row["place"]["lat"], name=Name(**row["place"]["name"]))
    values = {name: value for name, value in row.items() if name not in ("id", "place")}
    return Reading(number=row["id"], place=place, **values)


READINGS = everything()


@strawberry.type
class Query:
    @relay.connection(relay.ListConnection[Reading])
    def readings(self, station: str) -> Iterable[Reading]:
        return [describe(row) for row in READINGS if row["station"] == station]


application: GraphQL[None, None] = GraphQL(strawberry.Schema(query=Query))
