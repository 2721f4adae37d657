"""Formulas: apply one, creating or updating by name in one transaction, and give one back."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from swath.errors import FieldError, InvalidInput
from swath.flow.checks import feeder_of
from swath.flow.definition import Endpoint, Json, VariableMapping, Workflow
from swath.flow.formula import Change, Formula, SourceText, point, read_formula, write_text
from swath.flow.formula.hints import nearest
from swath.operations import collections, workflows
from swath.operations.application import Application
from swath.operations.context import Context, User
from swath.store import definitions
from swath.store.collections import find
from swath.store.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying a formula has changed or, of a dry run, would change."""

    dry_run: bool
    changes: tuple[Change, ...]
    #: Ids of the formula's workflows by name; of those that a dry run would create, null.
    workflows: Mapping[str, str | None]
    #: Secret variables that have no value yet, as `endpoint.variable`.
    secrets_missing: tuple[str, ...]


async def apply(
    context: Context,
    user: User,
    source: SourceText,
    secrets: Mapping[str, Json] | None = None,
    *,
    dry_run: bool = False,
) -> Applied:
    """Create or update everything that a formula names; nothing is deleted.

    `secrets` are values of secret variables, as `variable` or `endpoint.variable`, and addresses of proxies
    with their logins, as `proxies.NAME`. Raises InvalidInput, and Conflict where a name is not unique.
    """
    if dry_run:
        return await attempt(context, user, source, secrets or {}, lambda work: _tell(work, dry_run=True))
    formula = await _read(source, secrets or {})
    async with collections.hold_named(context, user, formula.collections):
        with _pointing(source):
            return await context.database.write(_apply, context, user, formula, source.text, secrets or {})


T = TypeVar("T")


class _Attempt(Exception):
    """Carries what was read out of a transaction that is rolled back."""

    def __init__(self, value: Any) -> None:
        self.value = value


async def attempt(
    context: Context,
    user: User,
    source: SourceText,
    secrets: Mapping[str, Json],
    read: Callable[[Application], T],
) -> T:
    """Apply a formula, return what `read` makes of it, and take everything back."""
    formula = await _read(source, secrets)

    def story(connection: Connection) -> None:
        work = Application(connection, context, user, formula, secrets)
        work.apply()
        raise _Attempt(read(work))

    try:
        async with collections.hold_named(context, user, formula.collections):
            with _pointing(source):
                await context.database.write(story)
    except _Attempt as attempted:
        return cast(T, attempted.value)
    raise AssertionError  # the story always raises


@contextmanager
def _pointing(source: SourceText) -> Iterator[None]:
    """Let what a formula refers to in vain be told with its line."""
    try:
        yield
    except InvalidInput as error:
        first, *more = point(source, error.fields)
        raise InvalidInput(*first, *more) from None


async def _read(source: SourceText, secrets: Mapping[str, Json]) -> Formula:
    """Read a formula, beside the loop; check that it has the secrets that are given."""
    formula = await asyncio.to_thread(read_formula, source)
    known = [name for names in formula.secrets.values() for name in names]
    known += [f"{endpoint}.{name}" for endpoint, names in formula.secrets.items() for name in names]
    known += [f"proxies.{name}" for name in formula.proxies]
    for name in secrets:
        if name not in known:
            told = nearest(name, list(dict.fromkeys(known)))
            raise InvalidInput(f"secrets.{name}", f"This formula has no secret {name!r}{told}")
    return formula


def _apply(
    connection: Connection,
    context: Context,
    user: User,
    formula: Formula,
    text: str,
    secrets: Mapping[str, Json],
) -> Applied:
    work = Application(connection, context, user, formula, secrets)
    work.apply()
    for workflow_id in work.workflow_ids.values():
        definitions.set_formula(connection, workflow_id, text)
    return _tell(work, dry_run=False)


def _tell(work: Application, *, dry_run: bool) -> Applied:
    created = {change.id for change in work.changes if change.action == "create"}
    hidden = created if dry_run else set()
    return Applied(
        dry_run=dry_run,
        changes=tuple(replace(each, id=None) if each.id in hidden else each for each in work.changes),
        workflows={name: None if each in hidden else each for name, each in work.workflow_ids.items()},
        secrets_missing=tuple(work.find_missing()),
    )


#: Items that a formula written for a workflow holds of one collection; of a longer one it holds the id.
MOST_ITEMS = 10_000


async def export(context: Context, user: User, workflow_id: str) -> str:
    """Return a workflow as a formula: the text that it was applied from, while that is what there is.

    Values of secrets are left out. Raises NotFound.
    """
    text = await context.database.read(_find_text, user, workflow_id)
    if text is not None and await _still_holds(context, user, text):
        return text
    return await context.database.read(_write, user, workflow_id)


def _find_text(connection: Connection, user: User, workflow_id: str) -> str | None:
    workflows.own(connection, user, workflow_id)
    return definitions.find_formula(connection, workflow_id)


async def _still_holds(context: Context, user: User, text: str) -> bool:
    """Tell whether applying a text would change nothing."""
    try:
        applied = await apply(context, user, SourceText(text), dry_run=True)
    except FieldError:  # what it names is gone
        return False
    return all(change.action == "unchanged" for change in applied.changes)


def _write(connection: Connection, user: User, workflow_id: str) -> str:
    line = _read_line(connection, user, workflow_id)
    endpoints: dict[str, Endpoint] = {}
    for _, endpoint in line.values():
        endpoints.setdefault(endpoint.name, endpoint)
    listed, names = _list_collections(connection, [workflow for workflow, _ in line.values()])
    called = {each: workflow.name for each, (workflow, _) in line.items()}
    written = {
        workflow.name: replace(
            workflow,
            endpoint_id=endpoint.name if endpoints[endpoint.name] == endpoint else workflow.endpoint_id,
            mappings=tuple(_call(each, names, called) for each in workflow.mappings),
        )
        for workflow, endpoint in line.values()
    }
    return write_text(Formula(endpoints=endpoints, workflows=written, collections=listed))


def _read_line(connection: Connection, user: User, workflow_id: str) -> dict[str, tuple[Workflow, Endpoint]]:
    """Return a workflow and those whose rows it needs, by id, with their endpoints; the first one first."""
    line: dict[str, tuple[Workflow, Endpoint]] = {}
    following: str | None = workflow_id
    while following is not None:
        line = {following: workflows.load_in(connection, user, following), **line}
        following = feeder_of(line[following][0])
    return line


def _call(mapping: VariableMapping, names: Mapping[str, str], called: Mapping[str, str]) -> VariableMapping:
    """Return a mapping that refers by name to what the formula holds."""
    source, column = mapping.source_collection_id, mapping.from_result
    return replace(
        mapping,
        source_collection_id=names.get(source, source) if source else None,
        from_result=replace(column, workflow_id=called[column.workflow_id]) if column else None,
    )


def _list_collections(
    connection: Connection, line: Sequence[Workflow]
) -> tuple[dict[str, tuple[Json, ...]], dict[str, str]]:
    """Return the items of workflows' collections by name, and the names by id, but for long lists."""
    listed: dict[str, tuple[Json, ...]] = {}
    names: dict[str, str] = {}
    for mapping in (mapping for workflow in line for mapping in workflow.mappings):
        row = find(connection, mapping.source_collection_id or "")
        short = row is not None and row._mapping["count"] <= MOST_ITEMS and row.id not in names
        if row is not None and short and row.name not in listed:
            listed[row.name] = tuple(collections.read_plain(connection, row))
            names[row.id] = row.name
    return listed, names
