"""The differential: on upstreams that behave, Swath has the rows that dlt's REST client has.

`make differential` runs it, for it installs dlt into an environment of its own; `docs/differential.md`
tells what came out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from tests.acceptance.server import Server
from tests.servers.cases import CASES, Case
from tests.servers.dlt.client import Dlt, describe
from tests.servers.harness import expect, names_of, read_json, run
from tests.servers.readings import PAGE
from tests.servers.sample import SAMPLES

from swath.demo.upstream import Behaviour, Upstream

pytestmark = pytest.mark.slow

LINKED: Final = ("HeaderLinkPaginator", {})
RELAY: Final = {"cursor_path": "data.readings.pageInfo.endCursor", "cursor_body_path": "variables.after"}
HAS_NEXT: Final = "data.readings.pageInfo.hasNextPage"
#: How dlt is told to do the same, for each case.
PAGINATORS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "sample-cursor": ("JSONResponseCursorPaginator", {"cursor_path": "next", "cursor_param": "cursor"}),
    "sample-page-number": (
        "PageNumberPaginator",
        {"base_page": 1, "page_param": "page", "total_path": None},
    ),
    "sample-offset": (
        "OffsetPaginator",
        {"limit": 50, "offset_param": "offset", "limit_param": "limit", "total_path": "total"},
    ),
    "sample-header-link": LINKED,
    "sample-next-url": ("JSONLinkPaginator", {"next_url_path": "next_url"}),
    "datasette-cursor": ("JSONResponseCursorPaginator", {"cursor_path": "next", "cursor_param": "_next"}),
    "datasette-next-url": ("JSONLinkPaginator", {"next_url_path": "next_url"}),
    "datasette-short-pages": ("JSONLinkPaginator", {"next_url_path": "next_url"}),
    "datasette-header-link": LINKED,
    "django-page-number-next-url": ("JSONLinkPaginator", {"next_url_path": "next"}),
    "django-offset": (
        "OffsetPaginator",
        {"limit": PAGE, "offset_param": "offset", "limit_param": "limit", "total_path": "count"},
    ),
    "django-offset-next-url": ("JSONLinkPaginator", {"next_url_path": "next"}),
    "django-cursor-next-url": ("JSONLinkPaginator", {"next_url_path": "next"}),
    "json-server-header-link": LINKED,
    "json-server-page-number": (
        "PageNumberPaginator",
        {"base_page": 1, "page_param": "_page", "total_path": None},
    ),
    "json-server-offset": (
        "OffsetPaginator",
        {"limit": PAGE, "offset_param": "_start", "limit_param": "_limit", "total_path": None},
    ),
    "json-server-1-next-page": (
        "JSONResponseCursorPaginator",
        {"cursor_path": "next", "cursor_param": "_page"},
    ),
    "json-server-1-page-number": (
        "PageNumberPaginator",
        {"base_page": 1, "page_param": "_page", "total_path": "pages"},
    ),
    "strawberry-connection": ("JSONResponseCursorPaginator", {**RELAY, "has_more_path": HAS_NEXT}),
    "strawberry-connection-until-null": ("JSONResponseCursorPaginator", RELAY),
}
#: Cases that dlt's paginator does not get through: it takes the 404 after the last page for a failure.
BEYOND_DLT: Final = {"django-page-number", "django-page-number-until-404"}


@pytest.fixture(scope="module")
def dlt() -> Iterator[Dlt]:
    with Dlt() as running:
        yield running


@pytest.fixture(scope="module")
def sample() -> Iterator[str]:
    """The sample upstream, without a limit and without hiccups."""
    running = Upstream(Behaviour(hiccup_every=0, limit=None))
    yield running.start()
    running.stop()


def test_every_case_is_compared() -> None:
    """A new case has its paginator of dlt, or is among those that dlt cannot do."""
    assert {case.name for case in (*CASES, *SAMPLES)} == PAGINATORS.keys() | BEYOND_DLT


@pytest.mark.parametrize(
    "case", [case for case in (*SAMPLES, *CASES) if case.name in PAGINATORS], ids=lambda case: case.name
)
def test_the_rows_are_those_of_dlt(
    case: Case,
    server: Server,
    dlt: Dlt,
    compared: list[tuple[str, int, int, int]],
    request: pytest.FixtureRequest,
) -> None:
    """The same rows with the same values in the same order, and as many as the server has."""
    base = request.getfixturevalue(case.server)
    jobs = {item: describe(case, base, item, PAGINATORS[case.name]) for item in case.items}
    theirs = {item: dlt.fetch(job) for item, job in jobs.items()}
    (ours,) = run(server, case, base, "json")
    assert ours.execution["status"] == "succeeded"
    expected = expect(case, {item: rows for item, (rows, _) in theirs.items()})
    assert read_json(case, ours.files[f"{case.collection}.json"], names_of(expected)) == expected
    assert {item: len(rows) for item, (rows, _) in theirs.items()} == {
        item: len(case.rows(item)) for item in case.items
    }
    requests = sum(count for _, count in theirs.values())
    compared.append((case.name, len(expected), requests, ours.execution["counters"]["requests"]))
