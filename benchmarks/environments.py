"""An environment for each competitor, made on demand from the package index under `.bench/`."""

import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".bench"


def python(name: str, packages: str) -> str:
    """The interpreter of the environment `name`; an empty list of packages means the one that runs Swath."""
    if not packages:
        return sys.executable
    folder = CACHE / "envs" / name
    interpreter, mark = folder / "bin" / "python", folder / ".installed"
    if not mark.exists() or mark.read_text().strip() != packages:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "-q", *packages.split()], check=True)
        mark.write_text(packages)
    return str(interpreter)


def versions(interpreter: str, names: list[str]) -> str:
    code = (
        "import sys, importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
    )
    return subprocess.run(
        [interpreter, "-c", code, *names], check=True, capture_output=True, text=True
    ).stdout.strip()
