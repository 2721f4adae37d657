"""Bodies that nothing needs to look into: checked to their end, and not read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.flow.bodies import UNREAD, Flaws, NotJsonError, decoder, read_keys
from swath.flow.definition import Paginator, ResponseRule, Workflow
from swath.flow.paging import Page, begin, pager_for, settle
from swath.flow.paging.records import count_records
from swath.flow.segment import NOT_COUNTED
from swath.flow.verdict import Judge, may_tell_error

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abé"\\', max_size=3), inner)
)


def is_readable(body: bytes) -> bool:
    try:
        json.loads(body.decode())
        decoder()(body, "", Flaws())
    except (ValueError, NotJsonError):
        return False
    return True


@given(VALUES, st.booleans())
def test_the_keys_of_any_json_are_found_without_reading_it(value: object, plain: bool) -> None:
    body = json.dumps(value, ensure_ascii=plain).encode()
    assert set(read_keys(body) or ()) == (set(value) if isinstance(value, dict) else set())
    assert read_keys(body) is not None


@given(VALUES, st.data())
def test_a_body_passes_unread_only_if_it_can_be_read(value: object, data: st.DataObject) -> None:
    """Cut off, or with a byte changed: what is no JSON is found, wherever it breaks."""
    body = bytearray(json.dumps(value, ensure_ascii=False).encode())
    place = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        del body[place:]
    else:
        body[place] = data.draw(st.integers(0, 255))
    if read_keys(bytes(body)) is not None:
        assert is_readable(bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"   ", b"<html></html>", b'{"rows": [1, 2', b'{"a": 1}{"b": 2}', b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\\ud800"}', b'{"a": NaN}', b'{"a": "' + b"\xe9" + b'"}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_only_a_decoder_can_judge_is_left_to_it(body: bytes) -> None:
    assert read_keys(body) is None


def test_an_unread_page_ends_an_item_without_paging_and_is_not_counted() -> None:
    workflow = Workflow(name="w", endpoint_id="e")
    progress = begin(workflow.paginator)
    step = settle(workflow, pager_for(workflow.paginator), progress, Page(200, (), UNREAD, "http://h/"))
    assert (step.keep, step.stop, step.rows, progress.page) == (True, "complete", NOT_COUNTED, 1)


@pytest.mark.parametrize(
    ("rule", "looks"),
    [
        (ResponseRule(action="ignore", status=404), False),
        (ResponseRule(action="retry", status=("5xx", 409)), False),
        (ResponseRule(action="ignore", status="2xx"), True),
        (ResponseRule(action="fail_item", status=(404, 200)), True),
        (ResponseRule(action="fail_item", path="error"), True),
        (ResponseRule(action="fail_item", body_contains="sorry"), True),
    ],
)
def test_rules_that_may_fit_a_success_want_to_know_what_it_says(rule: ResponseRule, looks: bool) -> None:
    assert Judge([rule]).looks_inside is looks


def test_keys_that_may_tell_of_an_error_are_told_from_others() -> None:
    assert may_tell_error(["rows", "errors"])
    assert may_tell_error({"status": 1})
    assert not may_tell_error(["rows", "next"])


def test_rows_are_counted_later_as_paging_would_have_counted_them() -> None:
    workflow = Workflow(name="w", endpoint_id="e", paginator=Paginator(type="cursor", cursor_path="next"))
    for body in (
        {"items": [{"a": 1}, {"a": 2}]},
        [1, 2, 3],
        {"a": 1},
        {},
        [],
        {"links": [{}], "data": {"x": [[1]]}},
    ):
        page = Page(200, (), body, "http://h/")
        step = settle(workflow, pager_for(workflow.paginator), begin(workflow.paginator), page)
        assert count_records(body) == step.rows
