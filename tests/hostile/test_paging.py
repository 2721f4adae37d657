"""Rows P1 to P14 of the hostile upstreams, through the whole engine over a real socket."""

from dataclasses import replace

import pytest
from tests.hostile.house import House
from tests.upstreams.pages import SCENES, Scene
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.flow.definition import Endpoint, Paginator, Workflow
from swath.flow.execution import DONE, PARTIAL

#: Requests that a total which promises too much may lead to beyond the end.
LOOKED_AHEAD = 4


def scenes(row: str) -> list[str]:
    return [name for name in SCENES if name.split()[0] == row]


async def play(house: House, upstream: Scripted, name: str) -> None:
    """Run a scene; it ends as the table says, and whoever did not end well has a line in the ledger."""
    scene: Scene = SCENES[name](upstream)
    ended = await house.run(scene.endpoint, scene.workflow)
    rows = [{"id": row["id"]} for row in ended.rows()]
    if name.startswith("P14"):
        rows = list({row["id"]: row for row in rows}.values())
    assert rows == list(scene.rows)
    assert ended.reasons == {scene.stop: 1}
    in_vain = LOOKED_AHEAD if scene.paginator.total_path else 0
    assert len(upstream.asked) <= scene.most_requests + in_vain
    assert ended.attempts == len(upstream.asked)
    assert len(ended.failures) == (scene.stop not in DONE)
    if scene.stop in DONE:
        assert ended.status == "succeeded"
    else:
        (line,) = ended.failures
        assert line["stop_reason"] == scene.stop
        assert ended.status == ("partially_failed" if scene.stop in PARTIAL else "failed")
    fetched = len(ended.rows())
    if scene.declared_total in (None, fetched):
        assert ended.manifest["declared_totals"] == []
    else:
        told = {"item": 0, "declared": scene.declared_total, "fetched": fetched}
        assert ended.manifest["declared_totals"] == [told]


@pytest.mark.parametrize("name", scenes("P1"))
async def test_P1_the_same_cursor_for_ever(house: House, upstream: Scripted, name: str) -> None:
    """Rows once; the loop is seen at the repeat."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P2"))
async def test_P2_cursors_in_a_circle(house: House, upstream: Scripted, name: str) -> None:
    """Rows once, however long the circle is."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P3"))
async def test_P3_page_or_offset_ignored(house: House, upstream: Scripted, name: str) -> None:
    """Seen by the rows themselves; rows once."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P4"))
async def test_P4_clamped_to_the_last_page(house: House, upstream: Scripted, name: str) -> None:
    """The last page is not taken twice."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P5"))
async def test_P5_a_token_kept_until_drained(house: House, upstream: Scripted, name: str) -> None:
    """Complete: the same token with other rows is no loop."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P6"))
async def test_P6_an_empty_page_in_the_middle(house: House, upstream: Scripted, name: str) -> None:
    """Goes on, complete."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P7"))
async def test_P7_a_cursor_after_the_end(house: House, upstream: Scripted, name: str) -> None:
    """Ends by `empty_page` after two of them, or at once where `has_more` is false."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P8"))
async def test_P8_short_pages_in_the_middle(house: House, upstream: Scripted, name: str) -> None:
    """Complete, for offsets count the rows that came."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P9"))
async def test_P9_totals_that_lie(house: House, upstream: Scripted, name: str) -> None:
    """Complete; the manifest tells the declared total where it is not what was fetched."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P10"))
async def test_P10_next_urls_of_all_kinds(house: House, upstream: Scripted, name: str) -> None:
    """Relative ones work; others only where allowed; a private address is blocked."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P11"))
async def test_P11_links_and_cursors_in_headers(house: House, upstream: Scripted, name: str) -> None:
    """Right order, complete."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P12"))
async def test_P12_has_more_as_text(house: House, upstream: Scripted, name: str) -> None:
    """Ends."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P13"))
async def test_P13_a_depth_cap(house: House, upstream: Scripted, name: str) -> None:
    """Rows so far are kept; the item is partial."""
    await play(house, upstream, name)


@pytest.mark.parametrize("name", scenes("P14"))
async def test_P14_rows_that_shift(house: House, upstream: Scripted, name: str) -> None:
    """No row is lost."""
    await play(house, upstream, name)


async def test_P14_rows_that_shift_are_dropped_by_their_key(house: House, upstream: Scripted) -> None:
    """Where the workflow names a key: each row once, in the order of its first coming, and counted."""
    scene = SCENES["P14 rows that shift"](upstream)
    workflow = replace(scene.workflow, unique_by="results.id")
    ended = await house.run(scene.endpoint, workflow)
    assert [{"id": row["id"]} for row in ended.rows()] == list(scene.rows)
    assert ended.manifest["duplicates"] == 1
    assert any("came twice" in warning for warning in ended.view["warnings"])


async def test_a_cursor_of_many_digits_is_sent_as_it_came(house: House, upstream: Scripted) -> None:
    """An integer from 2^64 on is a cursor like any other: no digit of it may change."""
    cursor = 123456789012345678901234567890

    def page(asked: Asked) -> Play:
        first = not asked.query.get("cursor")
        return Play.json({"rows": [{"n": int(first)}], "next": cursor if first else None})

    upstream.on("/rows", page)
    paginator = Paginator(type="cursor", cursor_path="$.next", variable="cursor")
    endpoint = Endpoint(name="rows", url=f"{upstream.url}/rows", query={"cursor": "{{cursor}}"})
    await house.run(endpoint, Workflow(name="rows", endpoint_id="", paginator=paginator))
    assert [asked.query.get("cursor", "") for asked in upstream.asked] == ["", str(cursor)]


FORMATS = {
    "ndjson": ("application/x-ndjson", lambda ids: "\n".join(f'{{"id": {n}}}' for n in ids), "response"),
    "csv": ("text/csv", lambda ids: "id\n" + "\n".join(map(str, ids)), "response"),
    "xml": (
        "application/xml",
        lambda ids: f"<list>{''.join(f'<item><id>{n}</id></item>' for n in ids)}</list>",
        "list.item",
    ),
}


@pytest.mark.parametrize("name", FORMATS)
async def test_answers_that_are_not_json_are_paged_and_become_rows(
    house: House, upstream: Scripted, name: str
) -> None:
    """Lines of JSON, CSV and XML: a page of one row has the shape of the others, and an empty one ends."""
    kind, write, collection = FORMATS[name]
    pages = {"1": range(4), "2": range(4, 5), "3": range(0)}

    def play(asked: Asked) -> Play:
        body = write(pages[asked.query["page"]]).encode()
        return Play(headers=[("Content-Type", kind)], body=body)

    upstream.on("/x", play)
    endpoint = Endpoint(name="e", url=f"{upstream.url}/x", query={"page": "{{page}}"})
    record_path = collection if name == "xml" else None
    paginator = Paginator(type="page_number", variable="page", record_path=record_path)
    ended = await house.run(endpoint, Workflow(name="w", endpoint_id="", paginator=paginator))
    assert ended.status == "succeeded", ended.failures
    found = [row["id"] for row in ended.rows(collection)]
    assert found == (list(range(5)) if name == "ndjson" else list("01234"))
    assert ended.reasons == {"empty_page": 1}
