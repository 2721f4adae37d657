"""Both clients are one."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_synchronous_client_is_made_of_the_asynchronous_one() -> None:
    """`make client` was run after the last change."""
    spec = importlib.util.spec_from_file_location("sync_client", ROOT / "tools" / "sync_client.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    made = ROOT / "src" / "swath" / "client" / "synchronous.py"
    assert tool.make(tool.SOURCE.read_text()) == made.read_text()
