"""An open database, of either kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from swath.store.database import Database, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a database may be: a file in a folder of its own, or a database of the server."""
    if request.param == "sqlite":
        return tmp_path / "swath.db"
    url: str = request.getfixturevalue("database_url")
    return url


@pytest.fixture
async def database(place: Path | str) -> AsyncIterator[Database]:
    database = open_database(place)
    yield database
    await database.close()
