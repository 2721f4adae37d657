"""Make other files of an ended execution's stored answers, without a request."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from swath.engine.extract import WRITERS
from swath.engine.frozen import Opened
from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.checks import check_workflow
from swath.flow.definition import Definition, Json
from swath.flow.execution import TERMINAL
from swath.flow.recipe import Recipe, recipe_of, season
from swath.operations.context import Context, User
from swath.operations.executions import check_archive, iso, own, own_archive
from swath.store import recipes, retention
from swath.store.database import Connection, Row


async def combine(
    context: Context, user: User, execution_id: str, revise: Callable[[Recipe], Recipe]
) -> dict[str, Json]:
    """Queue a new revision of an execution's files, by its recipe as `revise` changes it.

    Raises Conflict while the execution goes on, InvalidInput for a recipe that cannot be followed.
    """
    row = await context.database.read(own_archive, user, execution_id)
    if row.status not in TERMINAL:
        raise Conflict("id", "This execution has not ended; cancel it, or wait for its end.")
    definition = Opened(context.vault).of(row).definition
    recipe = revise(recipe_of(definition))
    _check(recipe, definition)
    stored = msgspec.json.encode(recipe).decode()
    revision = await context.database.write(_add, execution_id, stored)
    context.engine.wake()
    return _view(await context.database.read(recipes.find, execution_id, revision))


def _add(connection: Connection, execution_id: str, stored: str) -> int:
    """Add a recipe, unless what it needs was removed a moment ago."""
    row = retention.lock(connection, execution_id)
    if row is None:
        raise NotFound("id", "No execution of yours has this id.")
    check_archive(row)
    return recipes.add(connection, execution_id, stored, now_ms())


def _check(recipe: Recipe, definition: Definition) -> None:
    if recipe.output_aggregation_format not in WRITERS:
        raise InvalidInput("output_aggregation_format", f"Must be one of: {', '.join(WRITERS)}.")
    names = set(Recipe.__dataclass_fields__)
    found = [
        (field, message)
        for field, message in check_workflow(season(recipe, definition.workflow), definition.endpoint)
        if field.split("[")[0].split(".")[0] in names
    ]
    if found:
        raise InvalidInput(*found[0], *found[1:])


async def list_for(context: Context, user: User, execution_id: str) -> list[dict[str, Json]]:
    """Return what was combined after an execution's end, newest first."""
    return await context.database.read(_list, user, execution_id)


def _list(connection: Connection, user: User, execution_id: str) -> list[dict[str, Json]]:
    own(connection, user, execution_id)
    return [_view(row) for row in recipes.find_all(connection, execution_id)]


def _view(row: Row[Any]) -> dict[str, Json]:
    return {
        "execution_id": row.execution_id,
        "revision": row.revision,
        "recipe": json.loads(row.recipe),
        "created_at": iso(row.created_at),
        "completed_at": iso(row.completed_at),
        "error": row.error,
        "warnings": json.loads(row.warnings),
    }
