"""Migrations are one line of them, numbered as they follow."""

import re
from pathlib import Path

from swath.store.database import MIGRATIONS

VERSIONS = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))


def read(file: Path, name: str) -> str | None:
    found = re.search(rf'^{name} = (?:"(\w+)"|None)$', file.read_text(), re.MULTILINE)
    assert found is not None, (file.name, name)
    return found[1]


def test_each_migration_follows_the_one_before() -> None:
    """Two with one number would leave every new database without tables, and every old one as it is."""
    numbers = [file.name[:4] for file in VERSIONS]
    assert numbers == [f"{number:04}" for number in range(1, len(VERSIONS) + 1)]
    assert [read(file, "revision") for file in VERSIONS] == numbers
    assert [read(file, "down_revision") for file in VERSIONS] == [None, *numbers[:-1]]
