"""Keeps a data folder as this version leaves it, for later versions to go on with.

With each release run `.venv/bin/python tests/acceptance/keep.py`. The folder holds an execution that has
ended and one that was killed in its midst; `test_upgrade.py` has every folder in `kept/` gone on with.
"""

import contextlib
import sqlite3
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from server import Server, define_posts, wait_until

from swath import __version__
from swath.demo.upstream import Behaviour, Upstream

KEPT = Path(__file__).parent / "kept"
USERS = [str(1000 + n) for n in range(4)]
DATABASES = ("swath.db", "engine.db")
#: Pages of the execution that is killed, of the 17 that there are.
AMID = 6


def keep(target: Path) -> None:
    """Write the archive of a data folder to `target`."""
    upstream = Upstream(Behaviour(hiccup_every=0, limit=None))
    upstream.start()
    with TemporaryDirectory() as place:
        folder = Path(place) / "data"
        with Server(folder) as server:
            defined = define_posts(server, upstream.url, USERS)
            server.wait(server.trigger(defined["workflow"]))
            upstream.behaviour = Behaviour(delay=0.3, hiccup_every=0, limit=None)
            execution_id = server.trigger(defined["workflow"])
            wait_until(lambda: server.execution(execution_id)["counters"]["pages"] >= AMID, "it is under way")
            server.kill()
        for name in DATABASES:
            with contextlib.closing(sqlite3.connect(folder / name)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("VACUUM")
        with tarfile.open(target, "w:xz") as archive:
            archive.add(folder, "data")
    upstream.stop()


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    keep(KEPT / f"{__version__}.tar.xz")
