"""scale.md shows what its program prints."""

import subprocess
import sys

from tests.docs.examples import Example, find_examples


def find_one(language: str) -> Example:
    (found,) = [each for each in find_examples(language) if each.page.name == "scale.md"]
    return found


def test_the_table_is_what_the_program_prints() -> None:
    """Whoever changes a figure of the program changes the table with it."""
    command = [sys.executable, "-X", "utf8", "-c", find_one("python").text]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert ran.stdout == find_one("text").text
