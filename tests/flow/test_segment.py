"""The stored form of responses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import Damaged
from swath.flow.segment import PageRecord, open_frame, read_footer, seal


def record(item: int, page: int, body: bytes = b"{}") -> PageRecord:
    headers = [("content-type", "application/json")]
    return PageRecord(item, page, 1, "direct", 1_700_000_000_000, 0.1, "http://h/", 200, headers, body)


bodies = st.dictionaries(
    st.integers(0, 5),
    st.lists(st.builds(record, st.integers(0, 99), st.integers(0, 9), st.binary()), min_size=1),
    min_size=1,
)


@given(bodies)
def test_what_was_sealed_is_read_back_in_order(pages: dict[int, list[PageRecord]]) -> None:
    """Each shard's frame gives its pages sorted by item and page, and the footer agrees."""
    segment, entries = seal(pages)
    assert read_footer(segment) == entries
    for entry in entries:
        frame = segment[entry.offset : entry.offset + entry.length]
        found = list(open_frame(frame))
        assert found == sorted(pages[entry.shard], key=lambda page: (page.item, page.page))
        assert entry.first == (found[0].item, found[0].page)


@given(bodies, st.data())
def test_any_changed_or_missing_byte_is_noticed(
    pages: dict[int, list[PageRecord]], data: st.DataObject
) -> None:
    """A torn or rotten segment is never read as if it were whole."""
    segment, _ = seal(pages)
    place = data.draw(st.integers(0, len(segment) - 1))
    rotten = segment[:place] + bytes([segment[place] ^ 1]) + segment[place + 1 :]
    for damaged in (rotten, segment[:place]):
        with pytest.raises(Damaged):
            read_footer(damaged)


def test_a_damaged_frame_is_noticed_alone() -> None:
    """A frame carries its own checksum, so that one can be read without the rest."""
    segment, (entry,) = seal({0: [record(1, 0, b"x" * 1000)]})
    frame = bytearray(segment[entry.offset : entry.offset + entry.length])
    frame[-1] ^= 1
    with pytest.raises(Damaged):
        list(open_frame(bytes(frame)))
