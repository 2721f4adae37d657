"""What is committed fits any machine: no private addresses, and locks that hold what the project asks for."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

#: A home folder, a folder of one machine, or where packages come from: none belongs into a shared file.
PRIVATE = re.compile(
    r"/(?:home|Users)/[a-z.]|(?<![\w.])/(?:root|work|opt)/[a-z.]|pypi\.org/simple|files\.pythonhosted|"
    r"--(?:extra-)?index-url|--find-links|--trusted-host|registry\.npmjs|\"resolved\":"
)


def committed() -> Iterator[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    yield from (ROOT / name for name in listing.stdout.split("\0") if name)


def test_no_file_names_a_machine_or_a_registry() -> None:
    """A clone must work where it lands."""
    here = Path(__file__).resolve()
    found = [
        f"{file.relative_to(ROOT)}: {hit[0]}"
        for file in committed()
        if file.is_file() and file.resolve() != here
        for hit in PRIVATE.finditer(file.read_text(errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "cd /home/someone/swath",
        "/".join(["", "root", ".cache", "pip"]),
        "see https://pypi.org/simple/swath",
        '"resolved": "https://packages.example/json-server.tgz"',
    ],
)
def test_private_lines_are_seen(line: str) -> None:
    assert PRIVATE.search(line)


def locked(name: str) -> dict[str, str]:
    """The versions in a lock file by canonical name."""
    pins = re.findall(r"^([\w.-]+)==([^ ;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


def asked(*groups: str) -> list[Requirement]:
    lines = list(PROJECT["project"]["dependencies"])
    for group in groups:
        lines += [line for line in PROJECT["dependency-groups"][group] if isinstance(line, str)]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize(
    ("lock", "groups"), [("requirements.lock", ["build"]), ("requirements-dev.lock", ["build", "dev"])]
)
def test_locks_hold_what_the_project_asks_for(lock: str, groups: list[str]) -> None:
    """Whoever changes `pyproject.toml` without `make lock` learns it here."""
    pins = locked(lock)
    assert [
        str(wanted)
        for wanted in asked(*groups)
        if not wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), "0.dev0"))
    ] == []


def test_both_locks_agree() -> None:
    """The tools are tested with the very versions that the product ships with."""
    product, tools = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: tools.get(name) for name in product} == product


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes(lock: str) -> None:
    """pip refuses the whole file otherwise, but only on the next fresh machine."""
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text())
    assert [
        entry for entry in entries if "==" in entry.splitlines()[0] and "--hash=sha256:" not in entry
    ] == []


def test_migrations_follow_one_another() -> None:
    """Two of one number would leave the database with two ends; each comes after the one before it."""
    folder = ROOT / "src" / "swath" / "store" / "migrations" / "versions"
    told = [
        (file.name[:4], *re.findall(r'^(?:down_)?revision = "?(\w+)"?$', file.read_text(), re.MULTILINE))
        for file in sorted(folder.glob("[0-9]*.py"))
    ]
    before = ["None", *(number for number, *_ in told)]
    assert told == [(number, number, last) for (number, *_), last in zip(told, before, strict=False)]
