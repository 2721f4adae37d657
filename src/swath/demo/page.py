"""The example program of a documentation page: its code blocks, put together as one program."""

import ast
import re
from collections.abc import Mapping


def find_code(text: str) -> list[str]:
    """Return the Python blocks of a page, in order.

    A block begins behind a gap of at least two blank lines and goes on for as long as it reads as Python.
    Blocks that only show an answer (a single literal) are left out.
    """
    chunks = re.split(r"\n{3,}", text.replace("\r\n", "\n"))
    blocks = [block for chunk in chunks if (block := _longest_program(chunk.split("\n")))]
    return [block for block in blocks if not _is_literal(block)]


def _longest_program(lines: list[str]) -> str:
    for end in range(len(lines), 0, -1):
        text = "\n".join(lines[:end])
        tree = _parse(text)
        if tree is not None:
            return text if tree.body else ""
    return ""


def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def _is_literal(block: str) -> bool:
    body = ast.parse(block).body
    return all(
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Dict | ast.Name | ast.Constant)
        for line in body
    )


def fill_in(program: str, values: Mapping[str, str]) -> str:
    """Replace what is assigned to each of the names by an expression; nothing else is touched.

    Raises ValueError for a name that the program does not assign.
    """
    for name, expression in values.items():
        line = f"{name} = {expression}".replace("\\", r"\\")
        program, count = re.subn(rf"^{name} = .*$", line, program, flags=re.M)
        if not count:
            raise ValueError(f"The program assigns nothing to {name}.")
    return program
