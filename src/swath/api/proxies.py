"""Routes of proxies."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, deleted, many, one, read_body
from swath.api.openapi import says
from swath.operations import proxies
from swath.operations.proxies import Proxy
from swath.operations.trials import ProxyTest, try_proxy
from swath.wire import schemas
from swath.wire.answers import show
from swath.wire.bodies import parse, reviser

router = APIRouter(tags=["proxies"])


@router.get("/proxies", **says(schemas.proxies.ProxyObject, many=True))
async def list_proxies(request: Request, limit: Limit = MOST_OBJECTS, cursor: Cursor = None) -> Response:
    """List the proxies that you may use, newest first."""
    page = await proxies.list_for(*caller(request), limit=limit, cursor=cursor)
    return many(map(show, page.objects), page.next_cursor)


@router.post("/proxies", **says(schemas.proxies.ProxyObject, body=Proxy))
async def create_proxy(request: Request) -> Response:
    """Register a proxy of yours or, as an administrator, one for everybody."""
    proxy = parse(Proxy, await read_body(request))
    return one(show(await proxies.create(*caller(request), proxy)))


@router.get("/proxies/{proxy_id}", **says(schemas.proxies.ProxyObject))
async def get_proxy(request: Request, proxy_id: str) -> Response:
    """Read a proxy; its password is masked."""
    return one(show(await proxies.show(*caller(request), proxy_id)))


@router.patch("/proxies/{proxy_id}", **says(schemas.proxies.ProxyObject, body=Proxy))
@router.put("/proxies/{proxy_id}", **says(schemas.proxies.ProxyObject, body=Proxy))
async def update_proxy(request: Request, proxy_id: str) -> Response:
    """Replace the given keys of a proxy."""
    revise = reviser(Proxy, await read_body(request))
    return one(show(await proxies.update(*caller(request), proxy_id, revise)))


@router.delete("/proxies/{proxy_id}", **says(schemas.outcomes.Deleted))
async def delete_proxy(request: Request, proxy_id: str) -> Response:
    """Remove a proxy; executions under way go on with it."""
    await proxies.delete(*caller(request), proxy_id)
    return deleted(proxy_id)


@router.post("/proxies/{proxy_id}/test", **says(schemas.proxies.ProxyReport, body=ProxyTest))
async def test_proxy(request: Request, proxy_id: str) -> Response:
    """Try a proxy now: whether it lives or, with a `url`, what comes back through it."""
    asked = parse(ProxyTest, await read_body(request))
    return one(show(await try_proxy(*caller(request), proxy_id, asked)))
