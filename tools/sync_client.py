"""Make the synchronous client of the asynchronous one: the same code, without waiting.

python tools/sync_client.py > src/swath/client/synchronous.py
"""

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "src" / "swath" / "client"
SOURCE = CLIENT / "asynchronous.py"

#: In this order: longer ones first.
RULES = (
    (r'^""".*?"""', '"""The client. Made of `asynchronous.py` by `make client`: change that one."""'),
    (r"^import asyncio\n", "import time\n"),
    (r"asyncio\.sleep", "time.sleep"),
    (r"AsyncBaseTransport", "BaseTransport"),
    (r"AsyncIterator", "Iterator"),
    (r"__a(enter|exit|iter)__", r"__\1__"),
    (r"\ba(close|read|iter_bytes)\(", r"\1("),
    (r"httpx\.AsyncClient", "httpx.Client"),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (
        r"from collections\.abc import ([^\n]+)",
        lambda found: f"from collections.abc import {_sort(found[1])}",
    ),
)


def _sort(names: str) -> str:
    return ", ".join(sorted(names.split(", ")))


def make(source: str) -> str:
    """Return the synchronous module of the asynchronous one."""
    for pattern, instead in RULES:
        source = re.sub(pattern, instead, source, flags=re.MULTILINE)
    ruff = [sys.executable, "-m", "ruff", "format", "--line-length", "110", "-"]
    return subprocess.run(ruff, input=source, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    print(make(SOURCE.read_text()), end="")
