"""A shard's pages are merged in order, and those that no longer count are left out of every frame."""

from pathlib import Path

from swath.engine.extract import Frame, merge_frames
from swath.flow.segment import PageRecord, seal
from swath.store.objects import Objects


def record(item: int, page: int, body: bytes) -> PageRecord:
    return PageRecord(
        item=item, page=page, attempt=1, exit="direct", started=0, elapsed=0.1, url="u", status=200,
        headers=[], body=body, digest=b"", rows=0,
    )  # fmt: skip


async def test_what_was_begun_anew_is_left_out_however_frames_overlap(tmp_path: Path) -> None:
    """Of the old frame only the kept items count, also behind the place where the new frame is opened."""
    objects = Objects(str(tmp_path))
    old = [record(item, page, b"old") for item in range(5) for page in (1, 2)]
    new = [record(item, page, b"new") for item in (2, 4) for page in (1, 2)]
    frames = []
    for name, pages, without in (("a", old, {2, 4}), ("b", new, set())):
        data, (entry,) = seal({7: pages})
        await objects.put(name, data)
        frames.append(Frame(name, entry.offset, entry.length, entry.first, frozenset(without)))
    found = [(page.item, page.page, page.body) for page in merge_frames(objects, frames)]
    assert found == [
        (item, page, b"old" if item in (0, 1, 3) else b"new") for item in range(5) for page in (1, 2)
    ]
