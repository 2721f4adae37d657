"""An open database in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from swath.store.database import Database, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "swath.db")
    yield database
    database.close()
