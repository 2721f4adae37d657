"""What is wrong with an endpoint or a workflow before anything is sent: all of it at once, field by field."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from swath.errors import InvalidInput
from swath.flow.definition import Endpoint, Filter, Paginator, Refresh, ResponseRule, Workflow
from swath.flow.filters import compile_filters
from swath.flow.layout import check_columns
from swath.flow.paging.pagers import pager_for
from swath.flow.paths import compile_path
from swath.flow.request import RequestTemplate
from swath.flow.rows.repeats import read_key
from swath.flow.spans import check_windows, count_numbers
from swath.flow.verdict import Judge

#: A field and what is wrong with it.
Finding = tuple[str, str]

#: The largest whole number that every JSON reader and database holds.
LARGEST = 2**53
MOST_CONCURRENCY = 1_000
#: Values that may go into one request.
LONGEST_BATCH = 10_000
#: The variable that a paginator sets where it names none.
PAGING_VARIABLES = {"page_number": "page", "offset": "offset", "cursor": "cursor", "header_cursor": "cursor"}

#: What is said of workflows that take each other's rows.
RING = (
    "This would be a ring: that workflow takes its rows from this one, itself or by others. "
    "One of them must take its values from elsewhere."
)


def check_endpoint(endpoint: Endpoint) -> list[Finding]:
    """Return what keeps an endpoint from being sent."""
    return [
        *_blank("name", endpoint.name),
        *_blank("url", endpoint.url),
        *(_attempt(lambda: RequestTemplate(endpoint)) if endpoint.url.strip() else ()),
    ]


def check_workflow(workflow: Workflow, endpoint: Endpoint) -> list[Finding]:
    """Return what keeps a workflow over this endpoint from being executed."""
    known = names_of(endpoint)
    return [
        *_blank("name", workflow.name),
        *_check_inputs(workflow, known),
        *_check_paginator(workflow.paginator, known),
        *_check_filters("filters", workflow.filters),
        *_check_rules(workflow.response_rules),
        *(_check_auth(workflow.auth, endpoint, known) if workflow.auth else ()),
        *(_attempt(lambda: read_key(workflow.unique_by or "")) if workflow.unique_by else ()),
        *(_attempt(lambda: check_columns(workflow.columns or {})) if workflow.columns else ()),
        *check_numbers(workflow),
    ]


def names_of(endpoint: Endpoint) -> frozenset[str]:
    """Return the variables of an endpoint: those declared and those that its templates use."""
    return frozenset(RequestTemplate(endpoint).names | endpoint.variables.keys())


def _blank(field: str, text: str) -> Iterator[Finding]:
    if not text.strip():
        yield field, "Blank."


def _attempt(step: Callable[[], object], prefix: str = "") -> Sequence[Finding]:
    """Return what a step that compiles something finds wrong."""
    try:
        step()
    except InvalidInput as error:
        return [(prefix + field, message) for field, message in error.fields]
    return ()


def _check_inputs(workflow: Workflow, known: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with the lists that feed variables."""
    seen: set[str] = set()
    for field, name in _fed(workflow):
        if name not in known:
            yield field, _unknown(name, known)
        if name in seen:
            yield field, f"The variable {name!r} is mapped twice."
        seen.add(name)
    yield from _check_sources(workflow)
    for number, span in enumerate(workflow.ranges):
        yield from _attempt(partial(count_numbers, span), f"ranges[{number}].")
    for number, rule in enumerate(workflow.date_windows):
        yield from _attempt(partial(check_windows, rule), f"date_windows[{number}].")
    for name, batch in workflow.batches.items():
        if name not in known:
            yield f"batches.{name}", _unknown(name, known)
        yield from _check_number(f"batches.{name}.size", batch.size, 1, LONGEST_BATCH)


def _check_sources(workflow: Workflow) -> Iterator[Finding]:
    """Yield the mappings that name no list, or two, and rows of more than one workflow."""
    feeders: set[str] = set()
    for number, mapping in enumerate(workflow.mappings):
        place, column = f"mappings[{number}]", mapping.from_result
        if column is None:
            yield from _blank(f"{place}.source_collection_id", mapping.source_collection_id or "")
            continue
        if mapping.source_collection_id is not None or mapping.source_collection_json_key is not None:
            yield f"{place}.from_result", "Takes the place of a collection: give only one of both."
        yield from _blank(f"{place}.from_result.workflow_id", column.workflow_id)
        yield from _blank(f"{place}.from_result.column", column.column)
        feeders.add(column.workflow_id)
        if len(feeders) > 1:
            message = "All rows must come from one workflow; let one of them take the other's rows."
            yield f"{place}.from_result.workflow_id", message


def feeder_of(workflow: Workflow) -> str | None:
    """Return the workflow whose rows a workflow takes; None where it takes none."""
    found = (mapping.from_result.workflow_id for mapping in workflow.mappings if mapping.from_result)
    return next(found, None)


def _fed(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Yield each variable that a list feeds, and the field that says so."""
    for number, mapping in enumerate(workflow.mappings):
        yield f"mappings[{number}].target_variable_name", mapping.target_variable_name
    for number, span in enumerate(workflow.ranges):
        yield f"ranges[{number}].variable", span.variable
    for number, rule in enumerate(workflow.date_windows):
        yield f"date_windows[{number}].from_variable", rule.from_variable
        if rule.until_variable is not None:
            yield f"date_windows[{number}].until_variable", rule.until_variable


def _unknown(name: str, known: Collection[str]) -> str:
    listed = f"It has: {', '.join(sorted(known))}." if known else "It has none."
    return f"The endpoint has no variable {name!r}. {listed}"


def _check_paginator(paginator: Paginator, known: Collection[str]) -> Iterator[Finding]:
    yield from _attempt(lambda: pager_for(paginator))
    default = PAGING_VARIABLES.get(paginator.type)
    if default is not None and (name := paginator.variable or default) not in known:
        what = f"write {{{{{name}}}}} where the request says which page it wants"
        yield "paginator.variable", f"{_unknown(name, known)} Add it: {what}."
    if paginator.type == "header_link":
        yield from _blank("paginator.rel", paginator.rel)
    for field in ("cursor_path", "next_url_path", "total_path", "has_more_path", "record_path"):
        path = getattr(paginator, field)
        if path:
            for _, message in _attempt(lambda path=path: compile_path(path)):  # type: ignore[misc]
                yield f"paginator.{field}", message
    yield from _check_number("paginator.limit", paginator.limit, 1)
    yield from _check_number("paginator.max_pages_per_item", paginator.max_pages_per_item, 1)
    if paginator.stop_when is not None:
        yield from _check_filter("paginator.stop_when.", paginator.stop_when)


def _check_filters(field: str, filters: Sequence[Filter]) -> Iterator[Finding]:
    for number, each in enumerate(filters):
        yield from _check_filter(f"{field}[{number}].", each)


def _check_filter(prefix: str, each: Filter) -> Sequence[Finding]:
    if isinstance(each.value, str) and "{{" in each.value:  # what it will be is not known yet
        return _attempt(lambda: compile_path(each.path), prefix)
    return _attempt(lambda: compile_filters([each]), prefix)


def _check_rules(rules: Sequence[ResponseRule]) -> Iterator[Finding]:
    for number, rule in enumerate(rules):
        place = f"response_rules[{number}]"
        for field, message in _attempt(lambda rule=rule: Judge([rule])):  # type: ignore[misc]
            inner = field.removeprefix("response_rules[0].")
            yield f"{place}.{inner}", message


def _check_auth(auth: Refresh, endpoint: Endpoint, known: Collection[str]) -> Iterator[Finding]:
    if auth.variable not in known:
        yield "auth.variable", _unknown(auth.variable, known)
    yield from _blank("auth.url", auth.url)
    if auth.url.strip():
        yield from _attempt(lambda: RequestTemplate(request_of(auth, endpoint)), "auth.")
    for field in ("token_path", "expires_path"):
        path = getattr(auth, field)
        if path:
            for _, message in _attempt(lambda path=path: compile_path(path)):  # type: ignore[misc]
                yield f"auth.{field}", message
    yield from _blank("auth.token_path", auth.token_path)


def request_of(auth: Refresh, endpoint: Endpoint) -> Endpoint:
    """Return what fetches a token as an endpoint, with the variables of the one that it is for."""
    return Endpoint(
        name="auth",
        url=auth.url,
        method=auth.method,
        query=auth.query,
        headers=auth.headers,
        body=auth.body,
        variables=endpoint.variables,
        tls=endpoint.tls,
    )


def check_numbers(workflow: Workflow) -> Iterator[Finding]:
    """Yield the numbers that are too small, too large or none."""
    retry, limits = workflow.retry, workflow.limits
    yield from _check_number("key_value_threshold", workflow.key_value_threshold, 1)
    yield from _check_number("column_budget", workflow.column_budget, 2)
    yield from _check_number("concurrency", workflow.concurrency, 1, MOST_CONCURRENCY)
    for number, rate in enumerate(workflow.rate_limits):
        yield from _check_number(f"rate_limits[{number}].requests", rate.requests, 1)
        yield from _check_positive(f"rate_limits[{number}].per_seconds", rate.per_seconds)
    yield from _check_number("retry.max_attempts", retry.max_attempts, 1, 100)
    for name in ("base_delay", "max_delay", "item_deadline"):
        yield from _check_number(f"retry.{name}", getattr(retry, name), 0)
    for name in ("timeout", "connect_timeout", "read_timeout"):
        yield from _check_positive(f"limits.{name}", getattr(limits, name))
    for name in ("max_response_bytes", "max_header_bytes"):
        yield from _check_number(f"limits.{name}", getattr(limits, name), 1)
    yield from _check_number("limits.max_redirects", limits.max_redirects, 0, 20)


def _check_number(
    field: str, value: float | None, least: float, most: float | None = None
) -> Iterator[Finding]:
    if value is None or least <= value <= (LARGEST if most is None else most):
        return
    if most is None:
        yield field, f"Must be at most {LARGEST}." if value > least else f"Must be at least {least}."
    else:
        yield field, f"Must be from {least} to {most}."


def _check_positive(field: str, value: Any) -> Iterator[Finding]:
    if not 0 < value <= LARGEST:
        yield field, f"Must be greater than 0, and at most {LARGEST}."
