"""How collections are kept: rows with the version that added and the one that removed them.

A change works on the version after the current one, slice by slice, each slice in a transaction of its own;
readers see none of it until `publish` raises the collection's version. What a crashed change left is taken
back by `clean_some` at the next one. One change at a time: the caller holds the collection's lock.
"""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from swath.store.database import upsert
from swath.store.listing import newest_first, older
from swath.store.schema import collections, items, snapshots
from swath.store.spool import Prepared

#: Rows of one transaction where whole ranges go. Each such row leaves the index of digests at another place,
#: so that small transactions would write the whole index again and again; this is some 0.3 s of others' wait.
SWEEP = 16_000

_LOWER_ASCII = str.maketrans(ascii_uppercase, ascii_lowercase)
# Built once: every trigger asks it.
_COLLECTION = select(collections).where(
    collections.c.id == bindparam("id"), collections.c.deleted_at.is_(None)
)

# --- the collection's own row


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a collection that nobody sees before `reveal`, and return its number."""
    hidden = {
        "count": 0,
        "version": 0,
        "deleted_at": values["created_at"],
        "updated_at": values["created_at"],
    }
    key = connection.execute(insert(collections).values(hidden | dict(values))).inserted_primary_key
    assert key is not None
    return int(key[0])


def reveal(connection: Connection, number: int) -> None:
    """Let a new collection be seen."""
    connection.execute(update(collections).where(collections.c.number == number).values(deleted_at=None))


def find(connection: Connection, collection_id: str) -> Row[Any] | None:
    """Return a collection's row, whosever it is; None where it is unknown or deleted."""
    return connection.execute(_COLLECTION, {"id": collection_id}).first()


def find_own(connection: Connection, owner_id: str, collection_id: str) -> Row[Any] | None:
    row = find(connection, collection_id)
    return row if row is not None and row.owner_id == owner_id else None


def find_some(
    connection: Connection, owner_id: str, before: tuple[int, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return an owner's collections, newest first, older than `before`."""
    query = select(collections).where(collections.c.owner_id == owner_id, collections.c.deleted_at.is_(None))
    if before is not None:
        query = query.where(older(collections, before))
    return connection.execute(query.order_by(*newest_first(collections)).limit(limit)).all()


def rename(connection: Connection, number: int, name: str, now: int) -> None:
    here = collections.c.number == number
    connection.execute(update(collections).where(here).values(name=name, updated_at=now))


def set_kind(connection: Connection, number: int, kind: str) -> None:
    connection.execute(update(collections).where(collections.c.number == number).values(kind=kind))


def declared_kind(connection: Connection, number: int) -> str:
    """Return `text` or `json`, empty where nobody and no item has decided it yet."""
    return str(connection.execute(select(collections.c.kind).where(collections.c.number == number)).scalar())


def kind_of(connection: Connection, number: int) -> str:
    """Return `text` or `json`; text where nothing has decided it yet."""
    return declared_kind(connection, number) or "text"


def hide(connection: Connection, number: int, now: int) -> None:
    """Delete a collection for its owner; its rows go with `purge_deleted_some`."""
    connection.execute(update(collections).where(collections.c.number == number).values(deleted_at=now))


# --- reading


def read_slice(
    connection: Connection, number: int, version: int, after_position: int, limit: int
) -> list[tuple[int, str]]:
    """Return position and value of the next items of a collection as it was at `version`."""
    query = (
        select(items.c.position, items.c.value)
        .where(items.c.collection == number, items.c.position > after_position, _visible(version))
        .order_by(items.c.position)
        .limit(limit)
    )
    return [(row.position, row.value) for row in connection.execute(query)]


def search_slice(
    connection: Connection, number: int, version: int, after: int, until: int, text: str, limit: int
) -> list[tuple[int, str]]:
    """Return visible items between two positions that contain a text, whatever its case."""
    query = select(items.c.position, items.c.value).where(items.c.collection == number, _visible(version))
    query = query.where(items.c.position > after, items.c.position <= until, _contains(text))
    rows = connection.execute(query.order_by(items.c.position).limit(limit)).all()
    return [(row.position, row.value) for row in rows]


def _contains(text: str) -> ColumnElement[bool]:
    lower, upper = text.lower(), text.upper()
    if lower == upper:  # digits, mostly: half the time of what looks at letters
        return items.c.value.contains(text, autoescape=True)
    # SQLite's lower() leaves other letters than ASCII's as they are: their usual spellings are looked for.
    spellings = {each.translate(_LOWER_ASCII) for each in (lower, upper, text.title())}
    value = func.lower(items.c.value)
    return or_(*(value.contains(each, autoescape=True) for each in sorted(spellings)))


def _visible(version: int) -> ColumnElement[bool]:
    return and_(items.c.added <= version, or_(items.c.removed.is_(None), items.c.removed > version))


# --- what an execution holds on to


def pin(connection: Connection, number: int, version: int) -> None:
    """Keep the rows of a version until `set_snapshot` has said that they were copied."""
    row = upsert(connection, snapshots, {"collection": number, "version": version, "object": None})
    connection.execute(row.on_conflict_do_nothing())


def find_snapshot(connection: Connection, number: int, version: int) -> str | None:
    """Return the object that holds a version's items, None where it has not been written."""
    return connection.execute(select(snapshots.c.object).where(_snapshot(number, version))).scalar()


def set_snapshot(connection: Connection, number: int, version: int, name: str) -> None:
    connection.execute(update(snapshots).where(_snapshot(number, version)).values(object=name))


def unpin(connection: Connection, number: int, version: int) -> None:
    """Let go of a version that was pinned and never copied."""
    here = _snapshot(number, version)
    connection.execute(delete(snapshots).where(here, snapshots.c.object.is_(None)))


def _snapshot(number: int, version: int) -> ColumnElement[bool]:
    return and_(snapshots.c.collection == number, snapshots.c.version == version)


# --- a change, slice by slice


def end_position(connection: Connection, number: int) -> int:
    """Return the position after the last row."""
    last = connection.execute(select(func.max(items.c.position)).where(items.c.collection == number)).scalar()
    return 0 if last is None else int(last) + 1


def add_some(connection: Connection, some: Sequence[Prepared], number: int, version: int, base: int) -> int:
    """Add those of the items that are not there; return how many that were. Places count from `base`."""
    rows = [(number, base + place, digest, value, version) for digest, place, value in some]
    return _run_many(connection, _ADD, rows)


def remove_some(connection: Connection, some: Sequence[Prepared], number: int, version: int) -> int:
    """Remove those of the items that are there; return how many that were."""
    return _run_many(connection, _REMOVE, [(version, number, digest) for digest, _, _ in some])


_ADD = """
INSERT INTO items (collection, position, digest, value, added) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_REMOVE = "UPDATE items SET removed = ? WHERE collection = ? AND digest = ? AND removed IS NULL"


def _run_many(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> int:
    """Run a plain statement for each row, at half the cost that a built one has; return the rows affected."""
    if connection.dialect.paramstyle != "qmark":
        statement = statement.replace("?", "%s")
    options = {"preserve_rowcount": True}
    return connection.exec_driver_sql(statement, rows, execution_options=options).rowcount


def remove_up_to(connection: Connection, number: int, version: int, after: int) -> int | None:
    """Remove the next thousands of rows behind position `after`; return the last, None without any."""
    live = and_(items.c.collection == number, items.c.position > after, items.c.removed.is_(None))
    some = select(items.c.position).where(live).order_by(items.c.position).limit(SWEEP).subquery()
    last = connection.execute(select(func.max(some.c.position))).scalar()
    if last is not None:
        connection.execute(update(items).where(live, items.c.position <= last).values(removed=version))
    return last


def publish(connection: Connection, number: int, version: int, grown: int, now: int) -> None:
    """Make a change visible."""
    connection.execute(
        update(collections)
        .where(collections.c.number == number)
        .values(version=version, count=collections.c.count + grown, updated_at=now)
    )


# --- what is left over


def clean_some(connection: Connection, number: int, version: int) -> bool:
    """Take back thousands of rows of changes that never came to `publish`; False when there are no more.

    Rows that were added go first: a row may return only when none of the same value is in its place.
    """
    last = (
        select(items.c.position)
        .where(items.c.collection == number, items.c.added <= version)
        .order_by(items.c.position.desc())
        .limit(1)
    )
    end = connection.execute(last).scalar()
    if _delete_some(connection, number, items.c.position > (-1 if end is None else end)):
        return True
    removed = and_(items.c.collection == number, items.c.removed > version)
    some = select(items.c.position).where(removed).limit(SWEEP)
    here = and_(items.c.collection == number, items.c.position.in_(some))
    return connection.execute(update(items).where(here).values(removed=None)).rowcount > 0


def purge_some(connection: Connection, number: int, version: int) -> bool:
    """Delete thousands of removed rows for good; False when there are no more.

    An execution that was triggered and has not copied its inputs keeps what it saw.
    """
    pinned = select(func.min(snapshots.c.version)).where(
        snapshots.c.collection == number, snapshots.c.object.is_(None)
    )
    oldest = connection.execute(pinned).scalar()
    bound = version if oldest is None else min(version, oldest)
    return _delete_some(connection, number, items.c.removed <= bound)


def find_deleted(connection: Connection) -> Sequence[Row[Any, Any]]:
    """Return number and id of deleted collections that still have rows which no execution waits for."""
    has_rows = exists().where(items.c.collection == collections.c.number)
    is_pinned = exists().where(snapshots.c.collection == collections.c.number, snapshots.c.object.is_(None))
    query = select(collections.c.number, collections.c.id)
    return connection.execute(query.where(collections.c.deleted_at.is_not(None), has_rows, ~is_pinned)).all()


def purge_deleted_some(connection: Connection, number: int) -> bool:
    """Delete thousands of rows of a deleted collection; False when there are no more."""
    return _delete_some(connection, number, true())


def _delete_some(connection: Connection, number: int, which: ColumnElement[bool]) -> bool:
    some = select(items.c.position).where(items.c.collection == number, which).limit(SWEEP)
    here = and_(items.c.collection == number, items.c.position.in_(some))
    return connection.execute(delete(items).where(here)).rowcount > 0
