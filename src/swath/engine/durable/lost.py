"""What the durable engine has lost of what our tables say is under way."""

from collections.abc import Callable, Sequence, Set
from typing import Any

from dbos import DBOSClient

from swath.engine.durable.configuration import SCHEMA
from swath.settings import Settings
from swath.store.postgres import read_url
from swath.store.work import Combination, Delivery, Execution, Shard, Work

#: How a durable workflow stands that somebody works on, or will.
UNENDED = ["ENQUEUED", "PENDING", "DELAYED"]
#: Names that are looked for at a time.
SLICE = 500


def name_work(work: Work) -> str:
    """Return the id of the durable workflow that some work is done by: it begins with its execution's."""
    match work:
        case Execution(id):
            return id
        case Shard(id, number, batch):
            return f"{id}:{number}:{batch}"
        case Combination(id, revision):
            return f"{id}:combine:{revision}"
        case Delivery(id, delivery, attempts):
            return f"{id}:deliver:{delivery}:{attempts}"


def find_lost(settings: Settings, expected: Set[Work]) -> Set[Work]:
    """Return what nobody works on any more, as the durable engine's tables have it: for who only looks."""
    if settings.database_url:
        place = read_url(settings.database_url).render_as_string(hide_password=False)
    elif (path := settings.data_dir / "engine.db").exists():
        place = f"sqlite:///{path}"
    else:
        return expected
    client = DBOSClient(system_database_url=place, dbos_system_schema=SCHEMA)
    try:
        return expected - find_known(client.list_workflows, expected)
    finally:
        client.destroy()


def find_known(list_workflows: Callable[..., Sequence[Any]], expected: Set[Work]) -> Set[Work]:
    """Return what of some work has a durable workflow that has not ended."""
    names = {name_work(each): each for each in expected}
    known: set[Work] = set()
    for some in (list(names)[at : at + SLICE] for at in range(0, len(names), SLICE)):
        found = list_workflows(workflow_ids=some, status=UNENDED, load_input=False, load_output=False)
        known.update(names[each.workflow_id] for each in found)
    return known
