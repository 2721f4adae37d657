"""Preview an execution: send the first request of a few items, show what comes, and keep nothing."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from random import choice
from typing import BinaryIO, cast

import msgspec

from swath.engine.auth import Auth
from swath.engine.exits import DIRECT, Exit
from swath.engine.fetcher import Answer
from swath.engine.frozen import secrets_of
from swath.engine.gather import lay_out, shape_rows
from swath.engine.times import Clock
from swath.errors import FetchFault, InvalidInput, ItemFailed
from swath.flow.bodies import Flaws, NotJsonError, decoder, list_paths
from swath.flow.definition import Definition, Json, Limits, ProxyChoice
from swath.flow.estimate import Estimate, Sample, estimate
from swath.flow.files.peek import read_rows
from swath.flow.masking import Masker, visible
from swath.flow.paging import Page, begin, pager_for, settle
from swath.flow.paging.records import choose_array
from swath.flow.paging.suggestion import COUNTED, is_whole, suggest
from swath.flow.request import Request, RequestTemplate
from swath.flow.rows import Extractor, SourcePage
from swath.flow.table import Union
from swath.flow.verdict import UNPARSED, Judge
from swath.operations import proxies
from swath.operations.context import Context, User
from swath.operations.drafts import Draft

#: Items whose first page is fetched, and the most that may be asked for.
FEW = 3
MOST = 10
#: Rows of each table that are shown.
ROWS = 10
#: Characters of an answer that are shown.
BODY = 4_000
#: Somebody waits for it.
PATIENT = Limits(timeout=20.0, read_timeout=15.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an execution would be. `requests` are those sent now, with what came back."""

    items: int
    requests: list[dict[str, Json]]
    collections: list[dict[str, Json]]
    paginators: list[dict[str, Json]]
    estimate: Estimate | None
    warnings: list[str]


@dataclass(slots=True)
class _Seen:
    """One item's first request, and what came of it."""

    inputs: Mapping[str, Json]
    request: Request | None = None
    answer: Answer | None = None
    value: Json = UNPARSED
    error: tuple[str, str] | None = None


async def preview(context: Context, user: User, draft: Draft, proxy: ProxyChoice | None = None) -> Preview:
    """Send the first request of a draft's first items, one after another.

    Nothing is kept: no execution, no budget, no health of proxies. Raises InvalidInput where no proxy fits.
    """
    _, ways = await proxies.choose(context, user, proxy)
    exit = Exit(*choice(ways)) if ways else DIRECT
    trial = _Trial(context, draft.definition, exit)
    seen = [await trial.run(inputs) for inputs in draft.inputs]
    return await asyncio.to_thread(_sum_up, draft, trial, seen)


class _Trial:
    """Sends requests of a definition through one exit."""

    def __init__(self, context: Context, definition: Definition, exit: Exit) -> None:
        workflow = definition.workflow
        self._fetcher = context.engine.fetcher
        self._definition, self._exit = definition, exit
        self._template = RequestTemplate(definition.endpoint)
        self._judge = Judge(workflow.response_rules)
        self._decode = decoder(float, workflow.answer_format, list_paths(workflow))
        self.pager = pager_for(workflow.paginator)
        self.secrets = secrets_of(definition)
        self._auth = Auth(definition, Clock(), self.secrets.append) if workflow.auth else None

    @property
    def masker(self) -> Masker:
        """Knows the secrets of the definition, and the tokens that were fetched."""
        return Masker(self.secrets)

    async def run(self, inputs: Mapping[str, Json]) -> _Seen:
        """Send one item's first request."""
        seen = _Seen(inputs)
        try:
            values = dict(inputs)
            if self._auth is not None:
                await self._auth.ready(self._ask)
                values.update(self._auth.values)
            url = self.pager.apply(self.pager.first(), values)
            seen.request = self._template.render(values, url)
            seen.answer = await self._fetch(seen.request)
            seen.value = self._parse(seen.answer)
            seen.error = self._find_fault(seen.answer, seen.value)
        except FetchFault as fault:
            seen.error = fault.code, fault.message
        except ItemFailed as failed:
            seen.error = failed.code, failed.message
        return seen

    async def _fetch(self, request: Request) -> Answer:
        workflow = self._definition.workflow
        limits = replace(
            workflow.limits,
            timeout=min(workflow.limits.timeout, PATIENT.timeout),
            read_timeout=min(workflow.limits.read_timeout, PATIENT.read_timeout),
        )
        answer: Answer = await self._fetcher.fetch(
            request, self._exit, limits, allowed_hosts=workflow.allowed_hosts
        )
        return answer

    async def _ask(self, request: Request) -> Json:
        answer = await self._fetch(request)
        value = self._parse(answer)
        fault = self._find_fault(answer, value)
        if fault is not None:
            raise ItemFailed(*fault)
        return value

    def _parse(self, answer: Answer) -> Json:
        kind = next((value for name, value in answer.headers if name == "content-type"), "")
        try:
            return self._decode(answer.body, kind, Flaws())
        except NotJsonError:
            return UNPARSED

    def _find_fault(self, answer: Answer, value: Json) -> tuple[str, str] | None:
        verdict = self._judge.judge(answer.status, answer.headers, answer.body, value)
        if verdict.action in ("success", "ignore"):
            return None
        return verdict.error_code or "rejected_by_rule", verdict.message or ""


# --- what is shown


def _sum_up(draft: Draft, trial: _Trial, seen: Sequence[_Seen]) -> Preview:
    definition, good = draft.definition, [each for each in seen if each.error is None and each.answer]
    return Preview(
        items=draft.items,
        requests=[_view(definition, trial.masker, each) for each in seen],
        collections=_extract(definition, trial.masker, good),
        paginators=list(_suggest(definition, good)),
        estimate=estimate(
            draft.items, definition.workflow, [_measure(definition, trial, each) for each in good]
        ),
        warnings=list(_warn(definition, draft, seen, good)),
    )


def _view(definition: Definition, masker: Masker, seen: _Seen) -> dict[str, Json]:
    view: dict[str, Json] = {"inputs": visible(seen.inputs, definition.endpoint)}
    if seen.request is not None:
        body = seen.request.body
        view |= {
            "method": seen.request.method,
            "url": masker.mask(seen.request.url),
            "headers": [[name, masker.mask(value)] for name, value in seen.request.headers],
            "body": masker.mask(body[:BODY].decode("utf-8", "replace")) if body is not None else None,
        }
    if seen.answer is not None:
        view |= {
            "status_code": seen.answer.status,
            "elapsed": round(seen.answer.elapsed, 3),
            "bytes": len(seen.answer.body),
            "response_text": masker.mask(seen.answer.body[:BODY].decode("utf-8", "replace")),
        }
    if seen.error is not None:
        view |= {"error_code": seen.error[0], "message": masker.mask(seen.error[1])}
    return view


def _extract(definition: Definition, masker: Masker, good: Sequence[_Seen]) -> list[dict[str, Json]]:
    """Return the tables that the pages make, the primary one first, with the first rows of each."""
    out = BytesIO()
    extractor = Extractor(shape_rows(definition), cast(BinaryIO, out), "jsonl")
    for number, each in enumerate(good):
        assert each.answer is not None
        kind = next((value for name, value in each.answer.headers if name == "content-type"), "")
        extractor.feed(SourcePage(number, 0, each.inputs, each.answer.body, kind))
    parts = extractor.finish()
    union = Union()
    for part in parts:
        union.add(part)
    data = out.getvalue()
    found = []
    for table in lay_out(definition, union)[0]:
        sources = [(part, lambda at, size: data[at : at + size]) for part in parts if part.path == table.path]
        rows = read_rows(table, sources, 0, ROWS, csv=False)
        shown = msgspec.json.decode(masker.mask(msgspec.json.encode(rows).decode()))
        found.append({"name": table.name, "columns": table.header, "rows": shown, "total": table.rows})
    return found


def _suggest(definition: Definition, good: Sequence[_Seen]) -> Iterator[dict[str, Json]]:
    """Yield the paginators that the first good answer speaks for, each with the evidence."""
    if not good or good[0].value is UNPARSED:
        return
    names = RequestTemplate(definition.endpoint).names
    # A secret is nobody's cursor, whatever it is called.
    secret = {name for name, variable in definition.endpoint.variables.items() if variable.secret}
    for each in suggest(_page(good[0]), sorted(names - secret)):
        paginator = msgspec.to_builtins(each.paginator)
        defaults = msgspec.to_builtins(type(each.paginator)())
        told = {name: value for name, value in paginator.items() if name == "type" or value != defaults[name]}
        yield {"paginator": told, "evidence": list(each.evidence)}


def _page(seen: _Seen) -> Page:
    assert seen.answer is not None
    return Page(seen.answer.status, seen.answer.headers, seen.value, seen.answer.url)


def _measure(definition: Definition, trial: _Trial, seen: _Seen) -> Sample:
    assert seen.answer is not None
    size, seconds = len(seen.answer.body), seen.answer.elapsed
    if seen.value is UNPARSED:
        return Sample(rows=0, bytes=size, seconds=seconds)
    progress = begin(definition.workflow.paginator)
    step = settle(definition.workflow, trial.pager, progress, _page(seen), definition.parameters)
    array = choose_array(seen.value)
    rows = step.rows or (len(array[1]) if array else 1)
    return Sample(
        rows=rows, bytes=size, seconds=seconds, declared=progress.declared_total, more=step.stop is None
    )


def _warn(
    definition: Definition, draft: Draft, seen: Sequence[_Seen], good: Sequence[_Seen]
) -> Iterator[str]:
    if not draft.items:
        yield "There are no input items: a collection that it takes values from is empty."
    failed = [each for each in seen if each.error is not None]
    if failed:
        yield f"{len(failed)} of {len(seen)} requests failed: {failed[0].error[0]}."  # type: ignore[index]
    if definition.workflow.paginator.type == "none" and _speaks_of_more(definition, good):
        yield "The answer looks like a page of several, and the workflow has no paginator; see paginators."


def _speaks_of_more(definition: Definition, good: Sequence[_Seen]) -> bool:
    found = next(_suggest(definition, good), None)
    return found is not None and not (found["paginator"]["type"] in COUNTED and is_whole(_page(good[0])))


def check_few(few: int | None) -> int:
    """Return how many items to look at. Raises InvalidInput."""
    if few is not None and not 1 <= few <= MOST:
        raise InvalidInput("items", f"Must be from 1 to {MOST}.")
    return FEW if few is None else few
