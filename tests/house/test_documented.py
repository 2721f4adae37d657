"""What an operator can set is documented."""

import dataclasses
from pathlib import Path

from swath.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_setting_is_in_the_settings_page() -> None:
    """A setting that nobody can read of does not exist; nor does a documented one that is gone."""
    rows = [line for line in (DOCS / "settings.md").read_text().splitlines() if line.startswith("| `SWATH_")]
    documented = {line.split("`")[1] for line in rows}
    assert documented == {field.metadata["variable"] for field in dataclasses.fields(Settings)}
