"""What an execution would be, read without a trace: of a kept workflow, or of a formula that is not kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from swath.engine.draw import peek
from swath.engine.feeding import check_drawing, describe_draw
from swath.errors import InvalidInput
from swath.flow.checks import LONGEST_BATCH
from swath.flow.definition import Axis, Definition, Drawn, Endpoint, Json, Workflow
from swath.flow.formula import Formula, SourceText
from swath.flow.formula.hints import nearest
from swath.flow.plan import Plan, count_items, settle_drawn
from swath.operations import formulas, workflows
from swath.operations.application import Application
from swath.operations.context import Context, User
from swath.operations.sources import Lists
from swath.operations.triggers import lay
from swath.store import collections
from swath.store.database import Connection
from swath.store.objects import Objects
from swath.store.vault import unseal


@dataclass(frozen=True, slots=True)
class Draft:
    """A definition with its secrets in the clear, how many items it has, and the inputs of the first few."""

    definition: Definition
    items: int
    inputs: tuple[dict[str, Json], ...]


async def draft_workflow(
    context: Context, user: User, workflow_id: str, parameters: Mapping[str, Json], few: int
) -> Draft:
    """Draft an execution of a workflow that is kept. Raises NotFound."""

    def read(connection: Connection) -> Draft:
        return _draft(connection, context, user, workflow_id, parameters, few)

    return await context.database.read(read)


async def draft_formula(
    context: Context,
    user: User,
    source: SourceText,
    name: str | None,
    secrets: Mapping[str, Json],
    parameters: Mapping[str, Json],
    few: int,
) -> Draft:
    """Draft an execution of a formula's workflow, the only one if none is named, and keep nothing of it."""

    def read(work: Application) -> Draft:
        workflow_id = work.workflow_ids[_choose(work.formula, name)]
        return _draft(work.connection, context, user, workflow_id, parameters, few)

    return await formulas.attempt(context, user, source, secrets, read)


def _choose(formula: Formula, name: str | None) -> str:
    """Return the workflow that is meant: the one that is named, or the one that all others follow."""
    known = formula.workflows
    if name is None and len(formula.first) == 1:
        return formula.first[0]
    if name is None:
        raise InvalidInput("workflow", f"Say which one; the formula has: {', '.join(known) or 'none'}.")
    if name not in known:
        raise InvalidInput("workflow", f"The formula has no workflow {name!r}{nearest(name, known)}")
    return name


def _draft(
    connection: Connection,
    context: Context,
    user: User,
    workflow_id: str,
    parameters: Mapping[str, Json],
    few: int,
) -> Draft:
    workflow, endpoint = workflows.load_in(connection, user, workflow_id)
    opened = msgspec.convert(
        unseal(msgspec.to_builtins((workflow, endpoint)), context.vault), tuple[Workflow, Endpoint]
    )
    definition = define(*opened, parameters)
    lists = Lists(connection, user.id, definition.workflow, pin=False)
    axes = tuple(_peek(context.objects, axis, lists, few) for axis in lay(definition, lists))
    definition = replace(definition, axes=axes)
    return Draft(definition, count_items(axes, workflow.join), _first_inputs(connection, definition, few))


def _peek(objects: Objects, axis: Axis, lists: Lists, few: int) -> Axis:
    """Return the axis of another workflow's rows with the first of them; as long as its table, at most."""
    if axis.result is None or lists.source is None:
        return axis
    wanted = few * (min(axis.batch.size, LONGEST_BATCH) if axis.batch else 1)
    items, found = peek(describe_draw(objects, axis), wanted)
    check_drawing(found)
    count = found.items if len(items) == wanted else len(items)
    return replace(settle_drawn(axis, count, Drawn(rows=found.items)), values=tuple(items))


def define(workflow: Workflow, endpoint: Endpoint, parameters: Mapping[str, Json]) -> Definition:
    """Return a definition that is not laid out, of parts whose secrets are in the clear."""
    scalars = {name: value for name, value in parameters.items() if not isinstance(value, list)}
    return Definition(
        endpoint=endpoint,
        workflow=workflow,
        constants={**workflow.inputs, **scalars},
        parameters=parameters,
    )


def _first_inputs(connection: Connection, definition: Definition, few: int) -> tuple[dict[str, Json], ...]:
    longest = max((axis.batch.size for axis in definition.axes if axis.batch), default=1)
    element = _reader(connection, few * min(longest, LONGEST_BATCH))
    plan = Plan(definition.axes, definition.workflow.join, definition.constants, element)
    return tuple(plan.inputs(number) for number in range(min(few, len(plan))))


def _reader(connection: Connection, few: int) -> Callable[[Axis, int], Json]:
    """Return what reads the first elements of an axis: the first items are made of these."""
    known: dict[int, list[Json]] = {}

    def element(axis: Axis, position: int) -> Json:
        assert axis.snapshot is not None  # the plan knows the others
        number, version = axis.snapshot
        if number not in known:
            rows = collections.read_slice(connection, number, version, -1, few)
            is_text = collections.kind_of(connection, number) == "text"
            known[number] = [value if is_text else msgspec.json.decode(value) for _, value in rows]
        return known[number][position]

    return element
