"""The documentation is a site that can be built, and nothing that is there for users is left out of it."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer

from swath.api.app import build_app
from swath.api.openapi import describe
from swath.bootstrap import open_house
from swath.cli import app as commands
from swath.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENT = describe(build_app(Settings(), open_house))
ROUTES = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_can_be_built(tmp_path: Path) -> None:
    """A link that leads nowhere, or a page that nothing leads to, fails the build."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        str(tmp_path / "d"),
    ]
    built = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True, check=False
    )
    assert built.stderr == ""
    assert built.returncode == 0
    for page in ("index", "workflows", "reference/routes", "reference/commands", "reference/fields"):
        assert (tmp_path / "site" / f"{page}.html").is_file()


@pytest.mark.parametrize(("method", "path", "operation"), ROUTES, ids=[f"{m} {p}" for m, p, _ in ROUTES])
def test_every_route_says_what_it_does(method: str, path: str, operation: dict[str, object]) -> None:
    """A route without a sentence, or with a parameter that nobody explains, is undocumented."""
    assert str(operation.get("description", "")).strip(), f"{method} {path} has no docstring"
    parameters = operation.get("parameters", [])
    assert isinstance(parameters, list)
    unexplained = [
        each["name"] for each in parameters if each["in"] != "path" and not each.get("description")
    ]
    assert unexplained == []


def test_every_command_says_what_it_does(reference: ModuleType) -> None:
    """So does every command, and every option of it."""

    def silent(command: object, name: str) -> list[str]:
        found = [] if getattr(command, "help", None) else [name]
        found += [
            f"{name} {option.opts[0]}"
            for option in getattr(command, "params", [])
            if option.param_type_name == "option" and not option.help
        ]
        for each in reference.subcommands(command):
            found += silent(each, f"{name} {each.name}")
        return found

    assert silent(typer.main.get_command(commands), "swath") == []


def test_the_reference_names_everything(reference: ModuleType, tmp_path: Path) -> None:
    """All routes and all fields of what they take stand in it."""
    reference.write_reference(tmp_path / "reference")
    routes = (tmp_path / "reference" / "routes.md").read_text()
    fields = (tmp_path / "reference" / "fields.md").read_text()
    assert [path for method, path, _ in ROUTES if f"## {method.upper()} {path}\n" not in routes] == []
    assert [name for name in DOCUMENT["components"]["schemas"] if f"## {name}\n" not in fields] == []
