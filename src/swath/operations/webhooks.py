"""Webhooks: who is told of what becomes of executions, and what they were told."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import Any, Literal
from uuid import uuid4

from swath.engine.courier import SECRET_PREFIX, read_key
from swath.engine.guard import read_url
from swath.engine.times import now_ms
from swath.errors import Conflict, FetchFault, InvalidInput, NotFound
from swath.flow.definition import Json
from swath.flow.masking import MASK
from swath.operations.context import Context, User
from swath.operations.executions import describe, iso
from swath.operations.listing import Page, page_of, read_cursor, read_number
from swath.operations.proxies import mask_password
from swath.store import webhooks
from swath.store.database import Connection, Row
from swath.store.vault import Vault

Event = Literal[
    "execution.succeeded",
    "execution.partially_failed",
    "execution.failed",
    "execution.cancelled",
    "execution.paused",
    "execution.truncated",
    "execution.waiting",
]
#: The ends of an execution, of which webhooks are told that do not say of what.
ENDS: tuple[Event, ...] = (
    "execution.succeeded",
    "execution.partially_failed",
    "execution.failed",
    "execution.cancelled",
)
TEST = "webhook.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Who is told of what. `secret` signs the deliveries; left out, one is made and shown once."""

    name: str = ""
    url: str
    events: tuple[Event, ...] = ENDS
    secret: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """A webhook as it is shown; a secret only where it was made now. Times in milliseconds."""

    id: str
    name: str
    url: str
    events: list[str]
    secret: str
    enabled: bool
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """What a webhook was told, or is to be told, and what came of it. Times in milliseconds."""

    id: str
    event: str
    execution_id: str | None
    state: str
    attempts: int
    next_attempt_at: int | None
    created_at: int
    last_attempt_at: int | None
    last_status: int | None
    last_error: str | None
    last_answer: str | None
    elapsed: float | None


async def create(context: Context, user: User, webhook: Webhook) -> WebhookView:
    """Keep a new webhook; return it with its secret, if that was made. Raises InvalidInput."""
    made = None if webhook.secret else SECRET_PREFIX + b64encode(token_bytes(24)).decode()
    values = _values(context.vault, replace(webhook, secret=made or webhook.secret))
    webhook_id = str(uuid4())
    keys = {"id": webhook_id, "owner_id": user.id, "created_at": now_ms()}
    await context.database.write(webhooks.add, values | keys)
    view = await show(context, user, webhook_id)
    return replace(view, secret=made) if made else view


async def update(
    context: Context, user: User, webhook_id: str, revise: Callable[[Webhook], Webhook]
) -> WebhookView:
    """Change a webhook to what `revise` makes of it; what was shown masked stands for what is stored."""
    await context.database.write(_update, context.vault, user, webhook_id, revise)
    return await show(context, user, webhook_id)


def _update(
    connection: Connection, vault: Vault, user: User, webhook_id: str, revise: Callable[[Webhook], Webhook]
) -> None:
    row = _own(connection, user, webhook_id)
    url = vault.open(row.url)
    shown = mask_password(url)
    old = Webhook(
        name=row.name,
        url=shown,
        events=tuple(json.loads(row.events)),
        secret=MASK,
        enabled=row.enabled,
    )
    new = revise(old)
    kept = vault.open(row.secret) if new.secret in (None, MASK) else new.secret
    new = replace(new, url=url if new.url == shown else new.url, secret=kept)
    webhooks.change(connection, webhook_id, _values(vault, new))


def _values(vault: Vault, webhook: Webhook) -> dict[str, Any]:
    """Return the columns of a webhook. Raises InvalidInput with everything that is wrong with it."""
    findings = [*_check_url(webhook.url), *_check_secret(webhook.secret or "")]
    if not webhook.events:
        findings.append(("events", "Blank."))
    if findings:
        raise InvalidInput(*findings[0], *findings[1:])
    return {
        "name": webhook.name,
        "url": vault.seal(webhook.url),
        "secret": vault.seal(webhook.secret or ""),
        "events": json.dumps(list(dict.fromkeys(webhook.events))),
        "enabled": webhook.enabled,
        "updated_at": now_ms(),
    }


def _check_url(url: str) -> list[tuple[str, str]]:
    if not url.strip():
        return [("url", "Blank.")]
    if MASK in url:
        return [("url", "Holds a mask instead of the password; give the password again.")]
    try:
        read_url(url)
    except FetchFault as fault:
        return [("url", f"{fault.message[0].upper()}{fault.message[1:]}.")]
    return []


def _check_secret(secret: str) -> list[tuple[str, str]]:
    if secret == MASK:
        return [("secret", "Is a mask; give the secret, or leave it out.")]
    try:
        read_key(secret)
    except ValueError:
        return [("secret", f"What stands behind {SECRET_PREFIX} must be base64.")]
    return []


async def list_for(context: Context, user: User, *, limit: int, cursor: str | None) -> Page[WebhookView]:
    """Return a user's webhooks, newest first."""
    rows = await context.database.read(webhooks.find_some, user.id, read_cursor(cursor), limit + 1)
    return page_of(rows, limit, lambda row: _view(context.vault, row))


async def show(context: Context, user: User, webhook_id: str) -> WebhookView:
    """Return one webhook. Raises NotFound where it is unknown or another user's."""
    return _view(context.vault, await context.database.read(_own, user, webhook_id))


async def delete(context: Context, user: User, webhook_id: str) -> None:
    """Remove a webhook and its log; what it was still to be told is not told."""
    await context.database.write(_delete, user, webhook_id)


def _delete(connection: Connection, user: User, webhook_id: str) -> None:
    _own(connection, user, webhook_id)
    webhooks.remove(connection, webhook_id)


def _own(connection: Connection, user: User, webhook_id: str) -> Row[Any]:
    row = webhooks.find_own(connection, user.id, webhook_id)
    if row is None:
        raise NotFound("id", "No webhook of yours has this id.")
    return row


def _view(vault: Vault, row: Row[Any]) -> WebhookView:
    return WebhookView(
        id=row.id,
        name=row.name,
        url=mask_password(vault.open(row.url)),
        events=json.loads(row.events),
        secret=MASK,
        enabled=row.enabled,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


# --- deliveries


async def list_deliveries(
    context: Context, user: User, webhook_id: str, *, limit: int, cursor: str | None
) -> tuple[list[DeliveryView], str | None]:
    """Return what a webhook was told, newest first, and the cursor of the next page."""
    await context.database.read(_own, user, webhook_id)
    before = read_number(cursor)
    rows = await context.database.read(webhooks.find_deliveries, webhook_id, before, limit + 1)
    return [view_delivery(row) for row in rows[:limit]], str(rows[limit - 1].number) if len(
        rows
    ) > limit else None


async def test(context: Context, user: User, webhook_id: str) -> DeliveryView:
    """Tell a webhook now that this is a test, once, and return what came of it."""
    delivery_id = await context.database.write(_put_test, user, webhook_id)
    await context.engine.courier.deliver(delivery_id)
    row = await context.database.read(webhooks.find_delivery, delivery_id)
    if row is None:
        raise NotFound("id", "The webhook was removed meanwhile.")
    return view_delivery(row)


def _put_test(connection: Connection, user: User, webhook_id: str) -> str:
    _own(connection, user, webhook_id)
    return webhooks.put(connection, webhook_id, TEST, None, now_ms())


async def send_again(context: Context, user: User, webhook_id: str, delivery_id: str) -> DeliveryView:
    """Have a delivery that is over made once more. Raises NotFound, and Conflict where it still waits."""
    row = await context.database.write(_send_again, user, webhook_id, delivery_id)
    context.engine.wake()
    return view_delivery(row)


def _send_again(connection: Connection, user: User, webhook_id: str, delivery_id: str) -> Row[Any]:
    _own(connection, user, webhook_id)
    changed = webhooks.send_again(connection, webhook_id, delivery_id)
    row = webhooks.find_delivery(connection, delivery_id)
    if row is None or row.webhook_id != webhook_id:
        raise NotFound("delivery_id", "This webhook has no delivery with this id.")
    if not changed:
        raise Conflict("state", "Only a delivery of an execution that does not wait any more is made again.")
    return row


def view_delivery(row: Row[Any]) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        event=row.event,
        execution_id=row.execution_id,
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_at or None,
        created_at=row.created_at,
        last_attempt_at=row.last_at,
        last_status=row.last_status,
        last_error=row.last_error,
        last_answer=row.last_answer,
        elapsed=row.elapsed,
    )


def tell(public_url: str) -> Callable[[Connection, Row[Any]], Json]:
    """Return what writes the body of a delivery: the event, when it was, and the execution as it is shown."""

    public_url = public_url.rstrip("/")

    def describe_delivery(connection: Connection, row: Row[Any]) -> Json:
        data: Json = {"message": "This is a test; nothing happened."}
        if row.execution_id is not None:
            data = describe(connection, row.execution_id, public_url)
        return {"type": row.event, "timestamp": iso(row.created_at), "data": data}

    return describe_delivery
