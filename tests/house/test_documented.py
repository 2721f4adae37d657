"""What an operator can set, and what a user can define, is documented."""

import dataclasses
import json
from pathlib import Path

import pytest

from swath.flow import definition
from swath.flow.formula import schema
from swath.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_setting_is_in_the_settings_page() -> None:
    """A setting that nobody can read of does not exist; nor does a documented one that is gone."""
    rows = [line for line in (DOCS / "settings.md").read_text().splitlines() if line.startswith("| `SWATH_")]
    documented = {line.split("`")[1] for line in rows}
    assert documented == {field.metadata["variable"] for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    "kind",
    [
        definition.Endpoint,
        definition.Tls,
        definition.Variable,
        definition.Body,
        definition.Workflow,
        definition.VariableMapping,
        definition.Batch,
        definition.NumberRange,
        definition.DateWindows,
        definition.Paginator,
        definition.Filter,
        definition.ResponseRule,
        definition.RateLimit,
        definition.RetryPolicy,
        definition.Limits,
        definition.Refresh,
    ],
)
def test_every_field_is_in_the_reference(kind: type) -> None:
    """A field that nobody can read of does not exist."""
    text = (DOCS / "workflows.md").read_text()
    missing = [field.name for field in dataclasses.fields(kind) if f"`{field.name}`" not in text]
    assert [name for name in missing if (kind, name) != (definition.VariableMapping, "id")] == []


def test_the_published_schema_is_that_of_the_code() -> None:
    """Editors check formulas by it; `make schema` writes it anew."""
    assert json.loads((DOCS / "formula.schema.json").read_text()) == schema()
