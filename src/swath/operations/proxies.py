"""Proxies: register, change and remove them, and choose those of an execution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn
from uuid import uuid4

from swath.engine.exits import parse_proxy_url
from swath.engine.times import now_ms
from swath.errors import InvalidInput, NotFound
from swath.flow.definition import ProxyChoice, ProxyType
from swath.flow.masking import MASK
from swath.operations.context import Context, User
from swath.operations.listing import Page, page_of, read_cursor
from swath.store import proxies
from swath.store.database import Connection, Row
from swath.store.vault import Vault

#: Id, type, location and URL of one way out. To the address guard a proxy that no administrator has
#: registered is what a custom one is: an address that somebody named.
Way = tuple[str, ProxyType, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """What the caller says of a proxy. `shared` lets every user of the server go through it."""

    type: Literal["shared", "dedicated"]
    location: str
    url: str
    shared: bool = False
    #: What its owner calls it; a formula finds it by this.
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """What was last learnt of a proxy, by whichever execution or test. `latency` in seconds."""

    state: Literal["unknown", "well", "failing", "quarantined"]
    quarantine_ends_at: int | None
    latency: float | None
    error_code: str | None
    used_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyView:
    """A proxy as it is shown; the URL only to its owner, with its password masked. Times in milliseconds."""

    id: str
    name: str
    type: str
    location: str
    url: str | None
    shared: bool
    created_at: int
    updated_at: int
    health: HealthView


async def create(context: Context, user: User, proxy: Proxy) -> ProxyView:
    """Register a proxy. Raises InvalidInput."""
    proxy_id = str(uuid4())
    await context.database.write(create_in, context.vault, user, proxy_id, proxy)
    return await show(context, user, proxy_id)


def create_in(connection: Connection, vault: Vault, user: User, proxy_id: str, new: Proxy) -> None:
    """Register a proxy as a part of a transaction."""
    keys = {"id": proxy_id, "owner_id": user.id, "created_at": now_ms()}
    proxies.add(connection, _values(vault, user, new) | keys)


async def update(context: Context, user: User, proxy_id: str, revise: Callable[[Proxy], Proxy]) -> ProxyView:
    """Change a proxy to what `revise` makes of it; the URL as it was shown stands for the stored one."""
    await context.database.write(update_in, context.vault, user, proxy_id, revise)
    return await show(context, user, proxy_id)


def update_in(
    connection: Connection, vault: Vault, user: User, proxy_id: str, revise: Callable[[Proxy], Proxy]
) -> None:
    """Change a proxy as a part of a transaction."""
    row = _own(connection, user, proxy_id)
    url = vault.open(row.url)
    shown = mask_password(url)
    new = revise(Proxy(type=row.type, location=row.location, url=shown, shared=row.for_all, name=row.name))
    kept = replace(new, url=url) if new.url == shown else new
    proxies.change(connection, proxy_id, _values(vault, user, kept))


def _values(vault: Vault, user: User, proxy: Proxy) -> dict[str, Any]:
    """Return the columns of a proxy. Raises InvalidInput with everything that is wrong with it."""
    findings: list[tuple[str, str]] = []
    if not proxy.location.strip():
        findings.append(("location", "Blank."))
    if proxy.shared and not user.admin:
        findings.append(("shared", "Only an administrator can share a proxy with all users."))
    if MASK in proxy.url:
        findings.append(("url", "Holds a mask instead of the password; give the password again."))
    try:
        url = parse_proxy_url(proxy.url, "url")
    except InvalidInput as error:
        findings.extend(error.fields)
    if findings:
        raise InvalidInput(*findings[0], *findings[1:])
    return {
        "name": proxy.name.strip(),
        "type": proxy.type,
        "location": proxy.location.strip(),
        "url": vault.seal(url),
        "for_all": proxy.shared,
        "updated_at": now_ms(),
    }


def mask_password(url: str) -> str:
    """Return a proxy's URL as it may be shown; a login without a password is a key, and is masked whole."""
    scheme, _, rest = url.partition("://")
    login, at, address = rest.rpartition("@")
    if not at:
        return url
    name, colon, _ = login.partition(":")
    return f"{scheme}://{name if colon else MASK}{colon and f':{MASK}'}@{address}"


def without_login(url: str) -> str:
    """Return a proxy's URL as a formula may hold it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


async def list_for(context: Context, user: User, *, limit: int, cursor: str | None) -> Page[ProxyView]:
    """Return the proxies that a user may use, newest first."""
    rows = await context.database.read(proxies.find_some, user.id, read_cursor(cursor), limit + 1)
    return page_of(rows, limit, lambda row: _view(context.vault, user, row))


async def show(context: Context, user: User, proxy_id: str) -> ProxyView:
    """Return a proxy that a user may use. Raises NotFound."""
    return _view(context.vault, user, await _usable(context, user, proxy_id))


async def way_of(context: Context, user: User, proxy_id: str) -> Way:
    """Return the way out that is a proxy which a user may use. Raises NotFound."""
    return _way(context.vault, await _usable(context, user, proxy_id))


async def _usable(context: Context, user: User, proxy_id: str) -> Row[Any]:
    row = await context.database.read(proxies.find_usable, user.id, proxy_id)
    if row is None:
        raise NotFound("id", "No proxy of yours has this id.")
    return row


async def delete(context: Context, user: User, proxy_id: str) -> None:
    """Remove a proxy; executions that were triggered with it go on with it."""
    await context.database.write(_delete, user, proxy_id)


def _delete(connection: Connection, user: User, proxy_id: str) -> None:
    _own(connection, user, proxy_id)
    proxies.remove(connection, proxy_id)


def _own(connection: Connection, user: User, proxy_id: str) -> Row[Any]:
    row = proxies.find_own(connection, user.id, proxy_id)
    if row is None:
        raise NotFound("id", "No proxy of yours has this id.")
    return row


def _view(vault: Vault, user: User, row: Row[Any]) -> ProxyView:
    return ProxyView(
        id=row.id,
        name=row.name,
        type=row.type,
        location=row.location,
        url=mask_password(vault.open(row.url)) if row.owner_id == user.id else None,
        shared=row.for_all,
        created_at=row.created_at,
        updated_at=row.updated_at,
        health=_view_health(row, now_ms()),
    )


def _view_health(row: Row[Any], now: int) -> HealthView:
    rests = row.rests_until is not None and row.rests_until > now
    known: Literal["unknown", "well", "failing"] = "unknown" if row.used_at is None else "well"
    return HealthView(
        state="quarantined" if rests else "failing" if row.fault is not None else known,
        quarantine_ends_at=row.rests_until if rests else None,
        latency=row.latency,
        error_code=row.fault,
        used_at=row.used_at,
    )


# --- the choice of an execution


async def choose(context: Context, user: User, choice: ProxyChoice | None) -> tuple[ProxyChoice, list[Way]]:
    """Return the choice as it may be shown, and the ways out that it stands for; none: a direct connection.

    Raises InvalidInput where no proxy fits, naming those that are there.
    """
    if choice is None or choice == ProxyChoice():
        if not context.settings.direct_allowed:
            raise InvalidInput("proxy", "Blank.")
        return ProxyChoice(), []
    if choice.type == "direct":
        raise InvalidInput("proxy.type", "Blank. Must be one of: shared, dedicated, custom.")
    if choice.type == "custom":
        url = parse_proxy_url(choice.url or "")
        return replace(choice, url=mask_password(url)), [("custom", "custom", choice.location or "", url)]
    rows = await context.database.read(proxies.find_all_usable, user.id, choice.type)
    return replace(choice, url=None), [_way(context.vault, row) for row in _fitting(rows, choice)]


def _fitting(rows: Sequence[Row[Any]], choice: ProxyChoice) -> list[Row[Any]]:
    """Return the proxies of the id and location that were asked for."""
    if not rows:
        raise InvalidInput("proxy.type", f"No {choice.type} proxy is configured.")
    if choice.proxy_id is not None:
        rows = [row for row in rows if row.id == choice.proxy_id] or _refuse(
            "proxy_id", choice.proxy_id, rows
        )
    if choice.location is not None:
        wanted = choice.location.strip().lower()
        rows = [row for row in rows if row.location.lower() == wanted] or _refuse("location", wanted, rows)
    return list(rows)


def _refuse(field: str, wanted: str, rows: Sequence[Row[Any]]) -> NoReturn:
    column = "id" if field == "proxy_id" else field
    configured = ", ".join(sorted({str(row._mapping[column]) for row in rows}))
    raise InvalidInput(f"proxy.{field}", f"No proxy of yours has {wanted!r}; configured: {configured}.")


def _way(vault: Vault, row: Row[Any]) -> Way:
    return row.id, row.type if row.admin else "custom", row.location, vault.open(row.url)
