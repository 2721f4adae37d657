"""Send one request of an endpoint, at once and outside of any execution."""

from collections.abc import Mapping, Sequence
from random import choice

import msgspec

from swath.engine.exits import DIRECT, Exit
from swath.engine.fetcher import Answer
from swath.engine.frozen import secret_values
from swath.errors import FetchFault, InvalidInput, ItemFailed
from swath.flow.bodies import Flaws, NotJsonError, decoder
from swath.flow.definition import Endpoint, Json, Limits, ProxyChoice
from swath.flow.masking import MASK, Masker
from swath.flow.request import RequestTemplate
from swath.operations import endpoints, proxies
from swath.operations.context import Context, User
from swath.store.vault import unseal

_decode = decoder(float)


async def send_once(
    context: Context,
    user: User,
    endpoint_id: str,
    inputs: Mapping[str, Json],
    proxy: ProxyChoice | None,
    output_format: str | None,
) -> dict[str, Json]:
    """Send an endpoint's request with these inputs; return inputs, proxy and what came back.

    The upstream's status stands inside. Where there is no answer at all, `status_code` is null and
    `error` says why. Raises InvalidInput where the request cannot be made of the inputs.
    """
    if output_format not in (None, "json", "text"):
        raise InvalidInput("format", "Must be json, or be left out.")
    stored = await endpoints.load(context, user, endpoint_id)
    endpoint = msgspec.convert(unseal(msgspec.to_builtins(stored), context.vault), Endpoint)
    shown, ways = await proxies.choose(context, user, proxy)
    masker = Masker(secret_values(endpoint, inputs))
    try:
        request = RequestTemplate(endpoint).render(inputs)
    except ItemFailed as error:
        raise InvalidInput("inputs", error.message) from None
    exit = Exit(*choice(ways)) if ways else DIRECT
    try:
        answer = await context.engine.fetcher.fetch(request, exit, Limits())
        response = _view(answer, output_format, masker)
    except FetchFault as fault:
        response = _view_fault(fault, output_format, masker)
    return {
        "inputs": _visible(endpoint, inputs),
        "proxy": {name: value for name, value in msgspec.to_builtins(shown).items() if value is not None},
        "response": response,
    }


def _visible(endpoint: Endpoint, inputs: Mapping[str, Json]) -> dict[str, Json]:
    secret = {name for name, variable in endpoint.variables.items() if variable.secret}
    return {name: MASK if name in secret else value for name, value in inputs.items()}


def _view(answer: Answer, output_format: str | None, masker: Masker) -> dict[str, Json]:
    view: dict[str, Json] = {
        "status_code": answer.status,
        "headers": _join_headers(answer.headers),
        "response_text": masker.mask(answer.body.decode("utf-8", "replace")),
    }
    if output_format == "json":
        view["response_json"] = _parse(answer)
    return view


def _view_fault(fault: FetchFault, output_format: str | None, masker: Masker) -> dict[str, Json]:
    view: dict[str, Json] = {"status_code": None, "headers": {}, "response_text": ""}
    view["error"] = {"error_code": fault.code, "message": masker.mask(fault.message)}
    if output_format == "json":
        view["response_json"] = None
    return view


def _join_headers(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _parse(answer: Answer) -> Json:
    kind = next((value for name, value in answer.headers if name == "content-type"), "")
    try:
        return _decode(answer.body, kind, Flaws())
    except NotJsonError:
        return None
