"""The page about imports shows what imports really give."""

import re
from pathlib import Path

import pytest
import yaml
from tests.importers.wire import check_formula

from swath.importers import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "imports.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M))
BLOCK = re.compile(r"^```\w+\n(.*?)^```", re.S | re.M)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_what_is_imported(kind: str) -> None:
    """The first block of a kind's section is the source, the second the formula that comes of it."""
    title = next(title for title in SECTIONS if title.lower().replace(" ", "").startswith(kind))
    source, formula = BLOCK.findall(SECTIONS[title])[:2]
    imported = KINDS[kind](source)
    check_formula(imported)
    assert imported.formula == yaml.safe_load(formula)
