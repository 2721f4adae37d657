"""The recording upstream of all import tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.importers.wire import recording
from tests.upstreams.scripted import Scripted

#: What stands beside the commands that read files.
FILES = {"notes.txt": "two\nlines\n", "rows.csv": "x,y\n1,2\n", "data.json": '{"a":1}'}


@pytest.fixture(scope="module")
def running() -> Iterator[Scripted]:
    with recording() as upstream:
        yield upstream


@pytest.fixture
def upstream(running: Scripted) -> Scripted:
    running.asked.clear()
    return running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path
