"""What holds for all tests: how Hypothesis works here, and a PostgreSQL server for those that want one."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.postgres import Postgres

# No test here measures time, and a machine may be slow: neither a deadline nor a slow example fails one.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A run of continuous integration finds the same each time; new examples are looked for by people.
settings.register_profile("ci", settings.get_profile("house"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


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
