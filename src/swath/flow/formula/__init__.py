"""A formula: endpoints, workflows, collections and proxies in one text that can be kept in git and shared."""

from swath.flow.formula.changes import Change, compare
from swath.flow.formula.reading import point, read_formula, read_plain
from swath.flow.formula.schema import schema
from swath.flow.formula.structure import Formula, ListedProxy
from swath.flow.formula.text import LONGEST, SourceText
from swath.flow.formula.writing import describe, write_text

__all__ = [
    "LONGEST",
    "Change",
    "Formula",
    "ListedProxy",
    "SourceText",
    "compare",
    "describe",
    "point",
    "read_formula",
    "read_plain",
    "schema",
    "write_text",
]
