"""Suggestions of a paginator from a first answer, as known APIs give it."""

from typing import Any

import pytest

from swath.flow.definition import Json, Paginator
from swath.flow.paging import Page, pager_for
from swath.flow.paging.suggestion import Suggestion, is_whole, suggest
from swath.flow.paths import compile_path

ROWS = [{"id": n} for n in range(10)]


def first(
    body: Json,
    names: tuple[str, ...] = (),
    url: str = "https://h/x",
    headers: tuple[tuple[str, str], ...] = (),
) -> Suggestion:
    return suggest(Page(200, headers, body, url), names)[0]


@pytest.mark.parametrize(
    ("body", "names", "url", "paginator"),
    [
        pytest.param(
            {"count": 95, "next": "https://h/x?page=2", "previous": None, "results": ROWS},
            (),
            "https://h/x",
            Paginator(type="next_url", next_url_path="next", total_path="count", record_path="results"),
            id="django-rest-framework",
        ),
        pytest.param(
            {"value": ROWS, "@odata.nextLink": "https://h/x?$skiptoken=a"},
            (),
            "https://h/x",
            Paginator(type="next_url", next_url_path='["@odata.nextLink"]', record_path="value"),
            id="odata",
        ),
        pytest.param(
            {"_embedded": {"items": ROWS}, "_links": {"self": {"href": "/x"}, "next": {"href": "/x?p=2"}}},
            (),
            "https://h/x",
            Paginator(type="next_url", next_url_path="_links.next", record_path="_embedded.items"),
            id="hal",
        ),
        pytest.param(
            {
                "features": ROWS,
                "links": [{"rel": "self", "href": "/x"}, {"rel": "next", "href": "/x?offset=3"}],
            },
            (),
            "https://h/x",
            Paginator(
                type="next_url", next_url_path="$.links[?@.rel == 'next'].href", record_path="features"
            ),
            id="features and catalogues of maps",
        ),
        pytest.param(
            {"items": ROWS, "the meta": {"links": [{"rel": ["next"], "url": "https://h/x?c=2"}]}},
            (),
            "https://h/x",
            Paginator(
                type="next_url",
                next_url_path="$[\"the meta\"].links[?@.rel[0] == 'next'].url",
                record_path="items",
            ),
            id="a list of links below",
        ),
        pytest.param(
            {"members": ROWS, "response_metadata": {"next_cursor": "dGVhbQ=="}},
            ("token", "cursor"),
            "https://h/x",
            Paginator(
                type="cursor",
                cursor_path="response_metadata.next_cursor",
                variable="cursor",
                record_path="members",
            ),
            id="slack",
        ),
        pytest.param(
            {"items": ROWS, "nextPageToken": "CAUQAA", "pageInfo": {"totalResults": 1000}},
            ("page_token",),
            "https://h/x",
            Paginator(
                type="cursor",
                cursor_path="nextPageToken",
                variable="page_token",
                total_path="pageInfo.totalResults",
                record_path="items",
            ),
            id="google",
        ),
        pytest.param(
            {"data": {"users": {"edges": ROWS, "pageInfo": {"endCursor": "abc", "hasNextPage": True}}}},
            (),
            "https://h/x",
            Paginator(
                type="cursor",
                cursor_path="data.users.pageInfo.endCursor",
                variable="cursor",
                has_more_path="data.users.pageInfo.hasNextPage",
                record_path="data.users.edges",
            ),
            id="relay",
        ),
        pytest.param(
            {"object": "list", "results": ROWS, "next_cursor": "8a-1", "has_more": "true"},
            ("start_cursor",),
            "https://h/x",
            Paginator(
                type="cursor",
                cursor_path="next_cursor",
                variable="start_cursor",
                has_more_path="has_more",
                record_path="results",
            ),
            id="notion",
        ),
        pytest.param(
            {"data": ROWS, "total": "95"},
            ("page", "q"),
            "https://h/x?page=1&per_page=10",
            Paginator(type="page_number", variable="page", total_path="total", record_path="data"),
            id="page-number",
        ),
        pytest.param(
            {"rows": ROWS, "numFound": 300},
            ("start",),
            "https://h/x?start=0&rows=10",
            Paginator(type="offset", variable="start", limit=10, total_path="numFound", record_path="rows"),
            id="offset",
        ),
        pytest.param(
            {"a.b": {"next": "/x?2"}, "rows": ROWS},
            (),
            "https://h/x",
            Paginator(type="next_url", next_url_path='["a.b"].next', record_path="rows"),
            id="keys-with-dots",
        ),
    ],
)
def test_known_apis(body: Json, names: tuple[str, ...], url: str, paginator: Paginator) -> None:
    """The first suggestion is the paginator that one would write by hand, and says why."""
    found = first(body, names, url)
    assert found.paginator == paginator
    assert found.evidence


def test_a_link_header_comes_first() -> None:
    """It is the one standard there is."""
    found = suggest(
        Page(200, (("link", '<https://h/x?page=2>; rel="next"'),), {"next": "/x?page=2"}, "https://h/x"), ()
    )
    assert [each.paginator.type for each in found] == ["header_link", "next_url"]
    assert "https://h/x?page=2" in found[0].evidence[0]


def test_a_cursor_in_a_header() -> None:
    """With the header's name as it came."""
    found = first({"rows": ROWS}, ("after",), headers=(("x-next-cursor", "abc"),))
    assert found.paginator == Paginator(
        type="header_cursor", header="x-next-cursor", variable="after", record_path="rows"
    )


def test_page_numbers_that_start_at_zero() -> None:
    """The number that was sent is where they start."""
    assert first(ROWS, ("page",), "https://h/x?page=0").paginator.start == 0


def test_a_count_of_this_page_is_no_total() -> None:
    """It is not suggested as one: it would end the list too early."""
    assert first({"rows": ROWS, "count": 10, "next": "/x?2"}).paginator.total_path is None


def test_a_cursor_without_a_variable_says_what_to_declare() -> None:
    """The evidence names the variable that is missing."""
    assert "{{cursor}}" in first({"rows": ROWS, "next_cursor": "abc"}).evidence[1]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        ROWS,
        {"id": 1, "token": ""},
        {"next": None, "rows": ROWS},
        {"rows": [{"next": "/a"}]},
        {"rows": ROWS, "links": [{"rel": "prev", "href": "/a"}, {"rel": "next"}]},
        "x",
        5,
    ],
    ids=str,
)
def test_nothing_is_suggested_without_evidence(body: Any) -> None:
    """No guess is better than a wrong one."""
    assert suggest(Page(200, (), body, "https://h/x?q=1"), ("q",)) == []


def test_suggested_paths_find_what_they_name() -> None:
    """Whatever the keys are called."""
    for key in ("a.b", 'q"uo\\te', "b[0]", "ünï", "$x", "with space", "'"):
        body = {key: {"next_cursor": "tok"}, "rows": ROWS}
        path = first(body).paginator.cursor_path or ""
        assert compile_path(path).first(body) == "tok"


def test_a_suggested_relation_leads_to_the_next_page() -> None:
    """Where the list has none with rel=next, the page is the last."""
    links = [{"rel": "self", "href": "/x"}, {"rel": "next", "href": "/x?offset=3"}]
    pager = pager_for(first({"features": ROWS, "links": links}).paginator)
    page = Page(200, (), {"features": ROWS, "links": links}, "https://h/x")
    last = Page(200, (), {"features": ROWS, "links": links[:1]}, "https://h/x")
    assert pager.advance({}, page, 3) == {"url": "https://h/x?offset=3"}
    assert pager.advance({}, last, 3) is None


def test_the_address_of_a_next_page_in_a_header() -> None:
    """Under a name of its own, as Kinto gives it."""
    found = first({"data": ROWS}, headers=(("Next-Page", "https://h/x?_token=a"),))
    assert found.paginator == Paginator(type="next_url", header="Next-Page", record_path="data")


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        ({"total_rows": 10, "rows": ROWS}, True),
        ({"total_rows": 11, "rows": ROWS}, False),
        ({"has_more": False, "rows": ROWS}, True),
        ({"has_more": False, "total": 50, "rows": ROWS}, True),
        ({"has_more": True, "total": 10, "rows": ROWS}, False),
        ({"count": 10, "rows": ROWS}, False),
        ({"meta": {"num_found": 3}, "rows": ROWS[:3]}, True),
        ({"total": 0, "rows": []}, True),
        (ROWS, False),
        ("x", False),
    ],
    ids=str,
)
def test_an_answer_may_say_that_it_is_all(body: Any, whole: bool) -> None:
    """Then nothing is missing, though its request has a place for the number of a page."""
    assert is_whole(Page(200, (), body, "https://h/x?page=1")) is whole
