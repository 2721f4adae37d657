r"""The bytes of row parts: rows as the shards' workers leave them, to be united without parsing them again.

A part's blocks lie in its shard's one file. A JSON block holds lines `{"input": {...}, "response": {...}}`.
A CSV block holds finished cells (quoted, with commas between them) in three groups: the row's own columns,
its ancestors', its inputs'. `\x1e` ends the first group, `\x1f` the second, `\x1d` the row. Columns are only
ever added at the end of a group, so that a block that knows fewer columns than the table needs no more than
commas in place of these three marks. Marks inside of values are escaped with `\x1b`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

import msgspec

from swath.flow.rows.names import CollectionPath, ColumnPath

OWN_END = "\x1e"
ANCESTORS_END = "\x1f"
ROW_END = "\x1d"
_ESCAPE = "\x1b"

_ESCAPES = {_ESCAPE: "\x1b0", ROW_END: "\x1b1", OWN_END: "\x1b2", ANCESTORS_END: "\x1b3"}
_UNESCAPES = {escaped.encode(): mark.encode() for mark, escaped in _ESCAPES.items()}
_MARK = re.compile("[\x1b\x1d-\x1f]")
_ESCAPED = re.compile(b"\x1b[0-3]")
#: A row of one empty cell: readers would skip a blank line, so it becomes `""`.
_BLANK_ROW = re.compile(rb"(?:(?<=\x1d)|\A)\x1e\x1f(?=\x1d)")
#: Possessive: what could be given back is remembered, a hundred bytes for each of a cell's characters.
_CELL = re.compile(r'("[^"]*+(?:""[^"]*+)*+"|[^,]*+)(?:,|\Z)')


class Block(msgspec.Struct, array_like=True, frozen=True):
    """A run of rows in a shard's file, and how many of the part's columns it knows in each group."""

    offset: int
    length: int
    rows: int
    own: int
    ancestors: int
    inputs: int
    escaped: bool = False


#: How many values of each kind a column has, kinds in order of first appearance: `null`, `boolean`,
#: `integer`, `number` (with a fraction or an exponent), `string`.
Kinds = dict[str, int]


class Part(msgspec.Struct):
    """The rows of one result collection in one shard. Columns stand in order of first appearance."""

    path: CollectionPath
    #: In how many arrays the least deep of the elements stand; 0: no row is an element.
    depth: int = 0
    rows: int = 0
    #: Rows that were elements of an array; the others were a root object.
    elements: int = 0
    own: list[ColumnPath] = []
    ancestors: list[ColumnPath] = []
    own_kinds: list[Kinds] = []
    ancestor_kinds: list[Kinds] = []
    inputs: list[str] = []
    #: JSON parts: the keys that the columns have inside of `response`.
    own_keys: list[str] = []
    ancestor_keys: list[str] = []
    blocks: list[Block] = []
    #: Objects whose keys turned out to be data while the shard was extracted (see `table.find_dynamic`).
    dynamic: list[CollectionPath] = []


def quote(text: str) -> str:
    """Return a cell's text as CSV wants it: quoted only where it must be."""
    if '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return f'"{text}"' if "," in text or "\n" in text or "\r" in text else text


def unquote(cell: str) -> str:
    """Return the text of a cell that is quoted and escaped."""
    return unescape_marks(cell[1:-1].replace('""', '"') if cell.startswith('"') else cell)


def escape_marks(text: str) -> str:
    return _MARK.sub(lambda mark: _ESCAPES[mark[0]], text)


def unescape_marks(text: str) -> str:
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda escaped: _UNESCAPES[escaped[0]], text.encode()).decode()


def has_marks(text: str) -> bool:
    return _ESCAPE in text or ROW_END in text or OWN_END in text or ANCESTORS_END in text


def write_row(own: Iterable[str], ancestors: str, inputs: str) -> str:
    """Join the groups of a row; ancestors and inputs come joined, as many rows share them."""
    return f"{','.join(own)}{OWN_END}{ancestors}{ANCESTORS_END}{inputs}{ROW_END}"


def restore(block: bytes, known: Block, own: int, ancestors: int, inputs: int) -> bytes:
    """Return a CSV block's rows as lines of a table that has so many columns in each group."""
    ends = (
        _end(known.own, own, ancestors + inputs > 0),
        _end(known.ancestors, ancestors, ancestors > 0 and inputs > 0),
        _end(known.inputs, inputs, False) + b"\n",
    )
    if own + ancestors + inputs == 1:
        block = _BLANK_ROW.sub(b'""\x1e\x1f', block)
    for mark, end in zip((b"\x1e", b"\x1f", b"\x1d"), ends, strict=True):
        block = block.replace(mark, end)
    return _unescape(block) if known.escaped else block


def _end(known: int, wanted: int, more: bool) -> bytes:
    """Return the commas for the columns that a group lacks, and the one before the next group."""
    lacking = max(wanted - 1, 0) - max(known - 1, 0)
    return b"," * (lacking + (more and wanted > 0))


def split_row(row: str, block: Block) -> list[str]:
    """Split a CSV block's row, without its end, into all its cells, which stay quoted and escaped."""
    own, rest = row.split(OWN_END)
    ancestors, inputs = rest.split(ANCESTORS_END)
    cells = split_cells(own, block.own) + split_cells(ancestors, block.ancestors)
    return cells + split_cells(inputs, block.inputs)


def pick(block: bytes, places: Sequence[int], known: Block) -> bytes:
    """Return a CSV block's rows as lines of the cells at these places; -1 is an empty cell."""
    take = itemgetter(*places) if len(places) > 1 else lambda cells: [cells[place] for place in places]
    rows = block.decode().split(ROW_END)[:-1]
    lines = [",".join(take([*split_row(row, known), ""])) for row in rows]
    if len(places) == 1:
        lines = [line or '""' for line in lines]
    text = "".join(f"{line}\n" for line in lines).encode()
    return _unescape(text) if known.escaped else text


def _unescape(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda escaped: _UNESCAPES[escaped[0]], text)


def rearrange(
    block: bytes, own: Sequence[int] | None, ancestors: Sequence[int] | None, known: Block
) -> bytes:
    """Return a CSV block with the cells of its groups in another order.

    `own` and `ancestors` give for each column of the new order its place among the known ones, or -1 for a
    column that is not known; None leaves the group as it is.
    """
    move_own = _mover(own, known.own)
    move_ancestors = _mover(ancestors, known.ancestors)
    moved = []
    for row in block.decode().split(ROW_END)[:-1]:
        first, rest = row.split(OWN_END)
        if ancestors is not None:
            second, inputs = rest.split(ANCESTORS_END)
            rest = f"{move_ancestors(second)}{ANCESTORS_END}{inputs}"
        moved.append(f"{move_own(first)}{OWN_END}{rest}{ROW_END}")
    return "".join(moved).encode()


def _mover(places: Sequence[int] | None, known: int) -> Callable[[str], str]:
    """Return what moves the cells of a group: -1 takes the empty cell that is put behind them."""
    if places is None:
        return str
    pick = itemgetter(*places) if len(places) > 1 else lambda cells: [cells[place] for place in places]

    def move(group: str) -> str:
        return ",".join(pick([*split_cells(group, known), ""]))

    return move


def split_cells(group: str, count: int) -> list[str]:
    """Split a group of `count` cells, which stay quoted."""
    if '"' not in group:
        return group.split(",") if count else []
    return _CELL.findall(group)[:count]
