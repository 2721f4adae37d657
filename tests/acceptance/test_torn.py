"""A segment that a disk has lost or changed is found, named, and its pages fetched again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gated import Gated
from server import Server, define_posts, wait_until

USERS = [str(1000 + n) for n in range(40)]


def cut(segment: Path) -> None:
    segment.write_bytes(segment.read_bytes()[:100])


def change(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    data[len(data) // 3] ^= 255
    segment.write_bytes(data)


@pytest.mark.parametrize("harm", [cut, change])
def test_a_torn_segment_is_fetched_again(
    harm: Callable[[Path], None], tmp_path: Path, upstream: Gated
) -> None:
    """The files are those of a calm run, and manifest and events say what happened."""
    with Server(tmp_path / "data") as server:
        defined = define_posts(server, upstream.url, USERS)
        calm = server.download(server.wait(server.trigger(defined["workflow"])))
        upstream.hold(30)
        execution_id = server.trigger(defined["workflow"])
        folder = server.folder / "objects" / "segments" / execution_id
        for count in (1, 2):
            wait_until(lambda: len(list(folder.glob("*.seg"))) >= count, f"{count} segments are there")  # noqa: B023
            upstream.hold(30 * (2 - count))
        server.kill()
        upstream.let_go()
        torn = min(folder.glob("*.seg"), key=lambda path: path.stat().st_mtime)
        harm(torn)
        orphan = folder / "written-and-never-recorded.seg"
        orphan.write_bytes(b"x")
        server.start()
        execution = server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == calm
        manifest = server.get(f"/workflows/executions/{execution_id}/manifest")["object"]
        assert {damaged["segment"] for damaged in manifest["damaged_segments"]} == {
            f"segments/{execution_id}/{torn.name}"
        }
        events = server.get(f"/workflows/executions/{execution_id}/events")["objects"]
        assert "segment_damaged" in [event["kind"] for event in events]
        assert execution["counters"]["stop_reasons"] == {"complete": len(USERS)}
        wait_until(lambda: not orphan.exists(), "what was written and never recorded is removed")
