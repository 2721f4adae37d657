"""What holds for all tests: how Hypothesis works here, and a PostgreSQL server for those that want one."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.postgres import Postgres

# No test here measures time, and a machine may be slow: neither a deadline nor a slow example fails one.
# Each run has the same examples; people look for new ones by `--hypothesis-profile=search`.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("house", settings.get_profile("search"), derandomize=True)
settings.load_profile("house")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests that want one; whoever stops it starts it again."""
    with Postgres() as server:
        yield server


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """An empty database on the server."""
    url = postgres.create()
    yield url
    postgres.drop(url)
