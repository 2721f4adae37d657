"""What of a definition shapes the files and not the requests: it can be changed when all is fetched."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from swath.flow.definition import ChosenColumn, Definition, Filter, OutputFormat, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How responses become files. The fields are those of a workflow, and the format."""

    filters: tuple[Filter, ...] = ()
    result_collections: tuple[str, ...] | None = None
    primary_collection: str | None = None
    unique_by: str | None = None
    include_inputs: bool = True
    columns: Mapping[str, tuple[str | ChosenColumn, ...]] | None = None
    column_budget: int = 2_000
    children: bool = True
    spreadsheet_safe: bool = False
    key_value_threshold: int = 500
    output_aggregation_format: OutputFormat = "csv"


_SHARED = tuple(field.name for field in fields(Recipe) if field.name != "output_aggregation_format")


def recipe_of(definition: Definition) -> Recipe:
    """Return the recipe that an execution was triggered with."""
    shared: dict[str, Any] = {name: getattr(definition.workflow, name) for name in _SHARED}
    return Recipe(**shared, output_aggregation_format=definition.options.output_aggregation_format)


def apply_recipe(recipe: Recipe, definition: Definition) -> Definition:
    """Return the definition as it would have been with this recipe."""
    options = replace(definition.options, output_aggregation_format=recipe.output_aggregation_format)
    return replace(definition, workflow=season(recipe, definition.workflow), options=options)


def season(recipe: Recipe, workflow: Workflow) -> Workflow:
    """Return the workflow as it would be with this recipe."""
    shared: dict[str, Any] = {name: getattr(recipe, name) for name in _SHARED}
    return replace(workflow, **shared)
