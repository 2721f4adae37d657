"""The reference, written from the code: every route, field, command and setting."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import typer

from swath.api.app import build_app
from swath.api.openapi import describe
from swath.bootstrap import open_house
from swath.cli import app as commands
from swath.settings import Settings

Json = Any


def write_reference(folder: Path) -> None:
    """Write the pages of the reference into a folder of their own."""
    folder.mkdir(exist_ok=True)
    document = describe(build_app(Settings(), open_house))
    pages = {
        "routes": write_routes(document),
        "fields": write_fields(document),
        "commands": write_commands(),
        "settings": write_settings(),
    }
    for name, lines in pages.items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n")


# --- routes


def write_routes(document: Json) -> Iterator[str]:
    """Yield the page of all routes, in the order of their paths."""
    yield "# Every route\n"
    yield "Send your token in the header `Token`. What a field is for stands in [Every field](fields.md).\n"
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            yield f"## {method.upper()} {path}\n"
            yield f"{operation['description']}\n"
            yield from _write_parameters(operation.get("parameters", []))
            yield from _write_bodies(operation)


def _write_parameters(parameters: list[Json]) -> Iterator[str]:
    told = [each for each in parameters if each["in"] != "path"]
    if told:
        yield "| parameter | in | meaning |\n|---|---|---|"
        for each in told:
            yield f"| `{each['name']}` | {each['in']} | {cell(each.get('description', ''))} |"
        yield ""


def _write_bodies(operation: Json) -> Iterator[str]:
    if "requestBody" in operation:
        yield f"Takes {refer(_schema(operation['requestBody']))}.\n"
    answer = _schema(operation["responses"].get("200", {}))
    for key in ("object", "objects"):
        if key in answer.get("properties", {}):
            yield f"Answers `{key}`: {refer(answer['properties'][key])}.\n"


def _schema(holder: Json) -> Json:
    return holder.get("content", {}).get("application/json", {}).get("schema", {})


# --- fields


def write_fields(document: Json) -> Iterator[str]:
    """Yield the page of everything that routes take and answer with, field by field."""
    yield "# Every field\n"
    yield "What is meant by those of an endpoint and a workflow is told in [Workflows](../workflows.md).\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"## {name}\n"
        yield f"{schema.get('description', '')}\n"
        properties = schema.get("properties", {})
        if properties:
            yield "| field | type | default |\n|---|---|---|"
            for field, kind in properties.items():
                default = f"`{_value(kind['default'])}`" if "default" in kind else ""
                yield f"| `{field}` | {refer(kind)} | {cell(default)} |"
            yield ""


def refer(schema: Json) -> str:
    """Return a type in words, linked where it has a heading of its own."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](fields.md#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(refer(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {refer(schema['items'])}" if schema.get("items") else "list"
    return str(schema.get("type", "any value"))


def _value(value: Json) -> str:
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(repr(value), repr(value))


# --- commands


def write_commands() -> Iterator[str]:
    """Yield the page of all commands and their options."""
    yield "# Every command\n"
    yield "`swath COMMAND --help` says the same in a terminal.\n"
    yield from _write_command(typer.main.get_command(commands), "swath")


def _write_command(command: click.Command, name: str) -> Iterator[str]:
    if name != "swath":
        yield f"## {name}\n"
        yield f"{(command.help or '').strip()}\n"
        yield from _write_options(command.params)
    for each in subcommands(command):
        yield from _write_command(each, f"{name} {each.name}")


def subcommands(command: click.Command) -> list[click.Command]:
    """Return the commands of a group, in the order in which its help lists them."""
    if not hasattr(command, "list_commands"):
        return []
    context = click.Context(command)
    found = (command.get_command(context, name) for name in command.list_commands(context))
    return [each for each in found if each is not None and not each.hidden]


def _write_options(parameters: list[click.Parameter]) -> Iterator[str]:
    told = [each for each in parameters if each.name not in ("help", "install_completion", "show_completion")]
    if told:
        yield "| option | meaning |\n|---|---|"
        for each in told:
            names = ", ".join(each.opts) if each.param_type_name == "option" else (each.name or "").upper()
            yield f"| `{names}` | {cell(getattr(each, 'help', None) or '')} |"
        yield ""


# --- settings


def write_settings() -> Iterator[str]:
    """Yield the page of all settings."""
    yield "# Every setting\n"
    yield "All are environment variables and may be left out. [Settings](../settings.md) tells more.\n"
    yield "| variable | meaning | default |\n|---|---|---|"
    for field in dataclasses.fields(Settings):
        default = "" if field.default in ("", (), None) else f"`{field.default}`"
        yield f"| `{field.metadata['variable']}` | {cell(field.metadata['meaning'])} | {default} |"


def cell(text: str) -> str:
    """Return a text that stands in a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")
