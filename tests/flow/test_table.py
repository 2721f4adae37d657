"""From parts to tables: columns, names, which comes first, files, and when keys are data."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.reference_rows import extract, files_of, read_csv

from swath.flow.rows import Extraction
from swath.flow.rows.dynamic import find_dynamic
from swath.flow.rows.fragments import Part
from swath.flow.rows.names import FIRST, KEY, VALUE, ColumnPath, relative_name, write_path
from swath.flow.table import Table, choose_primary, name_files, order_tables, unite
from swath.flow.unique import make_unique


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), "response"),
        (("a",), "a"),
        (("a", "b"), "a.b"),
        (("a", FIRST), "a[0]"),
        (("a", FIRST, FIRST, "b"), "a[0][0].b"),
        (("a", KEY), "a.key"),
        (("a", VALUE), "a.value"),
        ((KEY,), "key"),
        (("a.b", ""), "a.b."),
        ((".a",), ".a"),
        (("",), ""),
        ((FIRST, "a"), "[0].a"),
    ],
)
def test_paths_are_written_with_keys_verbatim(path: ColumnPath, name: str) -> None:
    assert write_path(path) == name


def test_names_inside_of_a_row_are_relative() -> None:
    """A bare scalar's column is called like the last key of its collection."""
    assert relative_name(("r", "a", FIRST), ("r",)) == "a[0]"
    assert relative_name(("r", "k"), ("r", "k")) == "k"
    assert relative_name((), ()) == "response"
    assert relative_name(("r", KEY), ("r",)) == "key"


def test_the_first_free_suffix_is_taken() -> None:
    assert make_unique("a", {"b"}) == "a"
    assert make_unique("a", {"a", "a_2"}) == "a_3"


def test_columns_unite_in_order_of_first_appearance() -> None:
    parts = [
        Part(("r",), 1, 2, 2, own=[("r", "a"), ("r", "b")], ancestors=[("n",)], inputs=["x"]),
        Part(("s",), 1, 1, 1, own=[("s", "a")], inputs=["x"]),
        Part(("r",), 1, 3, 3, own=[("r", "c"), ("r", "a")], ancestors=[("m",), ("n",)], inputs=["x"]),
    ]
    r, s = unite(parts)
    assert (r.name, r.rows, r.elements, s.name) == ("r", 5, 5, "s")
    assert r.header == ["r.a", "r.b", "r.c", "n", "m", "input.x"]
    assert [column.key for column in r.columns] == ["a", "b", "c", "n", "m", "x"]


def test_names_collide_safely_and_it_is_said() -> None:
    """Later columns and collections get suffixes; inputs come last."""
    parts = [
        Part((), 0, 1, own=[("input", "x"), ("input.x",), ("A",), ("a",)], inputs=["x"]),
        Part(("a.b",), 1, 1, 1),
        Part(("a", "b"), 1, 1, 1),
    ]
    root, first, second = unite(parts)
    assert root.header == ["input.x", "input.x_2", "A", "a", "input.x_3"]
    assert root.renamed == [("input.x", "input.x_2"), ("input.x", "input.x_3")]
    assert (first.name, second.name) == ("a.b", "a.b_2")


keys = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), unique=True, max_size=4)


@given(st.lists(keys, max_size=6))
def test_uniting_is_associative(columns: list[list[str]]) -> None:
    """Shards may be of any size: uniting the union of some with the rest gives the same order."""
    parts = [Part(("r",), own=[("r", key) for key in each]) for each in columns]
    for cut in range(1, len(parts)):
        (head,) = unite(parts[:cut])
        (whole,) = unite(parts)
        assert unite([Part(("r",), own=head.own), *parts[cut:]])[0].own == whole.own


def table(name: str, depth: int, elements: int, rows: int = 1) -> Table:
    return Table((name,), name, depth, max(rows, elements), elements)


def test_the_primary_is_the_shallowest_array_with_the_most_rows() -> None:
    root, few, many, deep = table("", 0, 0, 99), table("few", 1, 2), table("many", 1, 5), table("deep", 2, 50)
    tables = [root, few, deep, many]
    assert choose_primary(tables) is many
    assert choose_primary([root]) is root
    assert choose_primary([]) is None
    assert choose_primary(tables, "deep") is deep
    assert choose_primary(tables, "not there") is many
    assert order_tables(tables) == [many, root, few, deep]


def test_what_stands_beside_the_records_is_the_primary_only_alone() -> None:
    """A long list of links or facets is not what was asked for."""
    links, facets, items = table("links", 1, 9), table("searchFacets", 1, 99), table("items", 1, 2)
    assert choose_primary([links, facets, items]) is items
    assert choose_primary([links]) is links
    inner = Table(("links", "hints"), "links.hints", 1, 50, 50)
    assert choose_primary([inner, items]) is items
    assert choose_primary([items, links], "links") is links


def test_a_primary_without_rows_is_an_empty_table() -> None:
    """Whoever takes the first file for it does not get another's rows."""
    root = table("response", 0, 0)
    assert order_tables([root], "response") == [root]
    assert order_tables([root], "results") == [Table(("results",), "results"), root]
    assert order_tables([], "") == []
    assert [each.header for each in order_tables([], "results", ["user"])] == [["input.user"]]


def test_file_names_are_safe_and_differ_whatever_the_case() -> None:
    tables = [table(name, 1, 1) for name in ["a.b", "A.B", "a/b", "../..", "", "é", "a_b", "x" * 300, "con"]]
    names = name_files(tables)
    assert len({name.lower() for name in names}) == len(names)
    assert names[:4] == ["a.b", "A.B_2", "a_b", "rows"]
    assert all(name and len(name) < 120 and not set(name) & set('/\\:*?"<>| ') for name in names)


def test_only_the_outermost_of_crowded_objects_is_found() -> None:
    """What is inside of it will look different once it is rows."""
    own: list[ColumnPath] = [("d", f"k{a}", "in", f"x{b}") for a in range(6) for b in range(6)]
    assert find_dynamic([Part((), own=own), Part((), own=[("e", "x")])], 5) == (("d",),)
    assert find_dynamic([Part((), own=own)], 6) == ()
    assert find_dynamic([Part(("r",), ancestors=own)], 5) == (("d",),)


def extract_settled(bodies: list[object], **settings: object) -> dict[str, str]:
    """Extract as often as it takes to know where keys are data, as the combine step does."""
    extraction = Extraction(**settings)  # type: ignore[arg-type]
    split = range(1, len(bodies))
    while True:
        current = {"key_value_paths": extraction.key_value_paths}
        sources = extract(bodies, split=split, **(settings | current))
        found = find_dynamic((part for part, _ in sources), extraction.key_value_threshold)
        if not found:
            return files_of(bodies, **(settings | current))
        extraction = replace(extraction, key_value_paths=extraction.key_value_paths + found)


def test_D3_dynamic_keys_become_rows() -> None:
    """5,000 dynamic keys are rows of keys and values, not 5,000 columns."""
    page = {"id": 7, "users": {str(key): {"name": f"n{key}", "tags": ["t"]} for key in range(5000)}}
    files = extract_settled([page])
    assert files["response"] == "id\n7\n"
    rows = read_csv(files["users"])
    assert rows[0] == ["users.key", "users.name", "users.tags[0]", "id"]
    assert len(rows) == 5001
    assert rows[1] == ["0", "n0", "t", "7"]
    assert len(read_csv(files["users.tags"])) == 5001


def test_D3_keys_are_counted_over_all_shards() -> None:
    """A few keys per response are many over the execution; scalars become a value column."""
    pages = [{"r": [{"d": {f"k{number}": number}}]} for number in range(40)]
    assert list(extract_settled(pages, key_value_threshold=40)) == ["r"]
    files = extract_settled(pages, key_value_threshold=39)
    assert read_csv(files["r.d"])[:2] == [["r.d.key", "r.d.value"], ["k0", "0"]]


def test_D3_dynamic_objects_inside_of_dynamic_ones() -> None:
    """The outermost turns first, then what is inside; each level of keys has its column."""
    page = {str(a): {f"{a}-{b}": b for b in range(30)} for a in range(30)}
    rows = read_csv(extract_settled([page], key_value_threshold=20)["response"])
    assert rows[:3] == [["key", "key.key", "value"], ["0", "0-0", "0"], ["0", "0-1", "1"]]
    assert len(rows) == 901


def test_D3_elements_of_an_array_may_be_dynamic() -> None:
    page = {"r": [{f"k{number}": number} for number in range(30)]}
    rows = read_csv(extract_settled([page], key_value_threshold=20)["r"])
    assert rows[:2] == [["r.key", "r.value"], ["k0", "0"]]


def test_D3_objects_of_arrays_are_counted_by_their_collections() -> None:
    page = {"by_day": {f"d{number}": [{"v": number}] for number in range(30)}}
    files = extract_settled([page], key_value_threshold=20)
    assert read_csv(files["by_day"])[:2] == [["by_day.key", "by_day.v"], ["d0", "0"]]
    assert len(read_csv(files["by_day"])) == 31


def test_a_shard_full_of_dynamic_keys_stays_narrow() -> None:
    """An extractor stops adding columns when it has seen enough to know."""
    pages = [{"r": [{"d": {f"k{page}-{number}": 1 for number in range(10)}}]} for page in range(200)]
    sources = extract(pages, key_value_threshold=50)
    widest = max(len(part.own) for part, _ in sources)
    assert widest <= 120
    assert find_dynamic((part for part, _ in sources), 50) == (("r", "d"),)
