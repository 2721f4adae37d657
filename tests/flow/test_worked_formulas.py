"""The worked formulas: tests/hostile/test_formulas.py runs each; here, what they say of themselves."""

from pathlib import Path

import pytest
from tests.hostile.shapes import SHAPES

from swath.flow.formula import SourceText, read_formula

FOLDER = Path(__file__).parents[2] / "formulas"


def test_every_formula_has_its_shape() -> None:
    """None is published that was never run."""
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(SHAPES)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_each_says_what_it_is_for(name: str) -> None:
    """In a sentence, and with names that no other formula has."""
    source = SourceText((FOLDER / f"{name}.yaml").read_text())
    assert source.value["description"].endswith(".")
    formula = read_formula(source)
    others = [read_formula(file.read_text()) for file in FOLDER.glob("*.yaml") if file.stem != name]
    for section in ("endpoints", "workflows", "collections"):
        taken = {each for other in others for each in getattr(other, section)}
        assert taken.isdisjoint(getattr(formula, section))
