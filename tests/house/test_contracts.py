"""The import contracts catch what they forbid: each is shown planted violations, and must name every one."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: By contract: a line planted in a module, and how the report must name it.
VIOLATIONS = {
    "Imports point down only": [
        ("flow/plan.py", "import swath.store", "swath.flow.plan -> swath.store"),
        ("flow/definition.py", "import swath.engine", "swath.flow.definition -> swath.engine"),
        ("store/schema.py", "import swath.operations", "swath.store.schema -> swath.operations"),
        ("store/objects.py", "from swath.engine import worker", "swath.store.objects -> swath.engine.worker"),
        ("engine/inputs.py", "import swath.bootstrap", "swath.engine.inputs -> swath.bootstrap"),
        ("operations/__init__.py", "import swath.api", "swath.operations -> swath.api"),
        ("errors.py", "import swath.settings", "swath.errors -> swath.settings"),
        ("bootstrap.py", "import swath.demo", "swath.bootstrap -> swath.demo"),
        ("demo/network.py", "import swath.cli", "swath.demo.network -> swath.cli"),
    ],
    "flow is pure": [
        ("flow/plan.py", "import sqlalchemy", "swath.flow.plan -> sqlalchemy"),
        ("flow/paths.py", "from time import time", "swath.flow.paths -> time"),
        ("flow/filters.py", "import random", "swath.flow.filters -> random"),
        ("flow/rows/walk.py", "import asyncio", "swath.flow.rows.walk -> asyncio"),
        ("flow/rows/names.py", "import urllib.request, socket", "swath.flow.rows.names -> socket"),
    ],
    "knows the durable engine": [
        ("engine/inputs.py", "from dbos import DBOS", "swath.engine.inputs -> dbos"),
        ("operations/__init__.py", "import dbos", "swath.operations -> dbos"),
    ],
    "Only store speaks SQL": [
        ("engine/inputs.py", "from sqlalchemy import text", "swath.engine.inputs -> sqlalchemy"),
        ("operations/__init__.py", "import sqlite3", "swath.operations -> sqlite3"),
    ],
    "knows the object storage": [
        ("operations/__init__.py", "from obstore.store import LocalStore", "swath.operations -> obstore"),
    ],
    "calls the outside": [
        ("engine/inputs.py", "import pyreqwest.client", "swath.engine.inputs -> pyreqwest"),
        ("operations/__init__.py", "from pyreqwest import http", "swath.operations -> pyreqwest"),
    ],
    "Other HTTP clients": [
        ("operations/__init__.py", "import requests", "swath.operations -> requests"),
    ],
    "know the web framework": [
        ("operations/__init__.py", "from fastapi import Request", "swath.operations -> fastapi"),
    ],
    "in a ring": [
        ("flow/definition.py", "import swath.flow.plan", ".definition -> .plan"),
    ],
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package's folder in a copy of the house."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "src" / "swath"


def judge(package: Path) -> tuple[int, str]:
    """Run lint-imports on the copy; its exit code, and its report with lines joined and spaces made one."""
    source = package.parent
    done = subprocess.run(
        [
            Path(sys.executable).with_name("lint-imports"),
            "--no-cache",
            "--config",
            source.parent / "pyproject.toml",
        ],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def plant(file: Path, line: str) -> None:
    text = file.read_text() if file.exists() else ""
    file.write_text(f"{text}\n{line}\n")


def test_the_house_keeps_its_contracts(copy: Path) -> None:
    """Unchanged, the copy breaks nothing: what the other tests see is what they planted."""
    code, report = judge(copy)
    assert code == 0, report
    assert "0 broken" in report


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_planted_violations_are_caught(copy: Path, contract: str) -> None:
    """The contract is reported broken, with every planted import."""
    for file, line, _ in VIOLATIONS[contract]:
        plant(copy / file, line)
    code, report = judge(copy)
    assert code != 0
    assert f"{contract}" in report.partition("Broken contracts")[2]
    for _, _, named in VIOLATIONS[contract]:
        assert named in report


def test_a_module_without_a_place_is_caught(copy: Path) -> None:
    """Nobody adds `swath/utils.py` in silence."""
    plant(copy / "utils.py", "")
    code, report = judge(copy)
    assert code != 0
    assert "utils" in report


def test_no_code_hides_from_the_contracts() -> None:
    """import-linter sees no folder without `__init__.py`; only the migrations, loaded by path, need none."""
    source = ROOT / "src" / "swath"
    folders = {file.parent for file in source.rglob("*.py") if "migrations" not in file.parts}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def takers(package: Path, module: str) -> Iterator[str]:
    """The files that import `module`, or something in it, or it from its parent."""
    for file in sorted(package.rglob("*.py")):
        if any(
            name == module or name.startswith(f"{module}.") for name in imported(ast.parse(file.read_text()))
        ):
            yield file.relative_to(package).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_the_fetcher_takes_the_http_client(copy: Path) -> None:
    """import-linter sees packages from outside only whole; flow may parse with pyreqwest, and no more."""
    allowed = {f"engine/fetcher/{name}.py" for name in ("client", "fetch", "proxies", "sending")}
    assert set(takers(copy, "pyreqwest.client")) <= allowed
    plant(copy / "flow/request/render.py", "from pyreqwest import client")
    plant(copy / "engine/guard.py", "from pyreqwest.client import ClientBuilder")
    assert set(takers(copy, "pyreqwest.client")) - allowed == {"flow/request/render.py", "engine/guard.py"}
