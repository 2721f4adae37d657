"""What of a definition shapes the files and not the requests: it can be changed when all is fetched."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from swath.flow.definition import (
    ChosenColumn,
    Compression,
    Definition,
    Filter,
    OutputFormat,
    UniqueWithin,
    Workflow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How responses become files. The fields are those of a workflow, and the format and its like."""

    filters: tuple[Filter, ...] = ()
    result_collections: tuple[str, ...] | None = None
    primary_collection: str | None = None
    unique_by: str | tuple[str, ...] | None = None
    unique_within: UniqueWithin = "item"
    include_inputs: bool = True
    columns: Mapping[str, tuple[str | ChosenColumn, ...]] | None = None
    column_budget: int = 2_000
    children: bool = True
    spreadsheet_safe: bool = False
    key_value_threshold: int = 500
    output_aggregation_format: OutputFormat = "csv"
    compression: Compression = "none"
    archive: bool = False


#: The fields that are not a workflow's but of the options of one execution.
_OPTIONS = ("output_aggregation_format", "compression", "archive")
#: Those that are a workflow's.
OF_WORKFLOW = tuple(field.name for field in fields(Recipe) if field.name not in _OPTIONS)


def recipe_of(definition: Definition) -> Recipe:
    """Return the recipe that an execution was triggered with."""
    shared: dict[str, Any] = {name: getattr(definition.workflow, name) for name in OF_WORKFLOW}
    options: dict[str, Any] = {name: getattr(definition.options, name) for name in _OPTIONS}
    return Recipe(**shared, **options)


def apply_recipe(recipe: Recipe, definition: Definition) -> Definition:
    """Return the definition as it would have been with this recipe."""
    asked: dict[str, Any] = {name: getattr(recipe, name) for name in _OPTIONS}
    options = replace(definition.options, **asked)
    return replace(definition, workflow=season(recipe, definition.workflow), options=options)


def season(recipe: Recipe, workflow: Workflow) -> Workflow:
    """Return the workflow as it would be with this recipe."""
    shared: dict[str, Any] = {name: getattr(recipe, name) for name in OF_WORKFLOW}
    return replace(workflow, **shared)
