"""Routes of webhooks, and of what they were told."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, deleted, many, one, read_body
from swath.api.openapi import says
from swath.operations import webhooks
from swath.operations.webhooks import Webhook
from swath.wire import schemas
from swath.wire.answers import show
from swath.wire.bodies import parse, reviser

router = APIRouter(tags=["webhooks"])


@router.get("/webhooks", **says(schemas.automation.WebhookObject, many=True))
async def list_webhooks(request: Request, limit: Limit = MOST_OBJECTS, cursor: Cursor = None) -> Response:
    """List your webhooks, newest first."""
    page = await webhooks.list_for(*caller(request), limit=limit, cursor=cursor)
    return many(map(show, page.objects), page.next_cursor)


@router.post("/webhooks", **says(schemas.automation.WebhookObject, body=Webhook))
async def create_webhook(request: Request) -> Response:
    """Create a webhook; a secret that is made for it is shown this once."""
    webhook = parse(Webhook, await read_body(request))
    return one(show(await webhooks.create(*caller(request), webhook)))


@router.get("/webhooks/{webhook_id}", **says(schemas.automation.WebhookObject))
async def get_webhook(request: Request, webhook_id: str) -> Response:
    """Read a webhook."""
    return one(show(await webhooks.show(*caller(request), webhook_id)))


@router.patch("/webhooks/{webhook_id}", **says(schemas.automation.WebhookObject, body=Webhook))
@router.put("/webhooks/{webhook_id}", **says(schemas.automation.WebhookObject, body=Webhook))
async def update_webhook(request: Request, webhook_id: str) -> Response:
    """Replace the given keys of a webhook."""
    revise = reviser(Webhook, await read_body(request))
    return one(show(await webhooks.update(*caller(request), webhook_id, revise)))


@router.delete("/webhooks/{webhook_id}", **says(schemas.outcomes.Deleted))
async def delete_webhook(request: Request, webhook_id: str) -> Response:
    """Delete a webhook and its log; what it was still to be told is not told."""
    await webhooks.delete(*caller(request), webhook_id)
    return deleted(webhook_id)


@router.post("/webhooks/{webhook_id}/test", **says(schemas.automation.Delivery))
async def test_webhook(request: Request, webhook_id: str) -> Response:
    """Send a test to a webhook now, once, and read what came of it."""
    return one(show(await webhooks.test(*caller(request), webhook_id)))


@router.get("/webhooks/{webhook_id}/deliveries", **says(schemas.automation.Delivery, many=True))
async def list_deliveries(
    request: Request, webhook_id: str, limit: Limit = MOST_OBJECTS, cursor: Cursor = None
) -> Response:
    """List what a webhook was told and what came of it, newest first."""
    found, more = await webhooks.list_deliveries(*caller(request), webhook_id, limit=limit, cursor=cursor)
    return many(map(show, found), more)


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/retry", **says(schemas.automation.Delivery))
async def retry_delivery(request: Request, webhook_id: str, delivery_id: str) -> Response:
    """Make a delivery again that has come or failed; its id and its body stay."""
    return one(show(await webhooks.send_again(*caller(request), webhook_id, delivery_id)))
