"""Rows out of responses: the documented tables, the odd cases, and laws that hold for any JSON."""

import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from tests.flow.reference_rows import (
    combine,
    encode,
    extract,
    files_of,
    only_part,
    parts_of,
    plain_tables,
    read_csv,
    tables_of,
)

from swath.flow.bodies import Flaws, decoder
from swath.flow.definition import Filter
from swath.flow.rows import Extraction, Extractor, SourcePage
from swath.flow.rows.cells import CellWriter
from swath.flow.rows.columns import Column

DOCUMENTED = {
    "results": [
        {"id": 1, "name": "Alice", "children": ["Carl", "Dave"]},
        {"id": 2, "name": "Bob", "children": ["Eric", "Fred"]},
    ]
}

keys = st.sampled_from(["a", "b", "c", "id", "a.b", "x[0]", 'q"', "k,", "n\nl", "", "é", "\x1e"])
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', ",", "\r", "\n", "a\nb", "\x1b\x1d\x1e\x1f", "\x1b0", "=1", "", "null", "\x1d\r\n"]
)
scalars = st.none() | st.booleans() | st.integers() | st.integers(min_value=2**63, max_value=2**70) | texts
tame_keys = st.sampled_from(["a", "b", "c", "id"])


def trees(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=25,
    )


#: Responses that look alike, as an API's do: the same few keys, so that shapes are learned and met again.
alike = st.lists(
    st.fixed_dictionaries(
        {"a": scalars},
        optional={
            "rows": st.lists(
                st.fixed_dictionaries(
                    {"id": st.integers()},
                    optional={
                        "b": scalars,
                        "o": st.none() | st.fixed_dictionaries({}, optional={"x": scalars, "y": scalars}),
                        "t": st.lists(scalars, max_size=3),
                        "kids": st.lists(st.dictionaries(tame_keys, scalars, max_size=3), max_size=3),
                    },
                ),
                max_size=5,
            )
        },
    ),
    max_size=12,
)
responses = st.lists(trees(keys), max_size=6) | st.lists(trees(tame_keys), max_size=12) | alike


def test_the_documented_tables_come_out_byte_for_byte() -> None:
    """The example of the documentation gives exactly its two tables."""
    assert files_of([DOCUMENTED]) == {
        "results": "results.id,results.name,results.children[0]\n1,Alice,Carl\n2,Bob,Eric\n",
        "results.children": (
            "results.children,results.id,results.name\nCarl,1,Alice\nDave,1,Alice\nEric,2,Bob\nFred,2,Bob\n"
        ),
    }


def test_combined_json_has_the_documented_form() -> None:
    """One array of input and response; keys are relative to the collection, values keep their types."""
    files = files_of([DOCUMENTED], "json", inputs=[{"user_id": "u1"}])
    assert json.loads(files["results"]) == [
        {"input": {"user_id": "u1"}, "response": {"id": 1, "name": "Alice", "children[0]": "Carl"}},
        {"input": {"user_id": "u1"}, "response": {"id": 2, "name": "Bob", "children[0]": "Eric"}},
    ]
    assert json.loads(files["results.children"])[0]["response"] == {
        "children": "Carl",
        "results.id": 1,
        "results.name": "Alice",
    }


def test_inputs_follow_the_documented_columns() -> None:
    """Every row says what it came from, in columns behind all others, unless that is turned off."""
    files = files_of([DOCUMENTED, DOCUMENTED], inputs=[{"user_id": "u1", "n": 1.5}, {"user_id": "u,2"}])
    lines = files["results.children"].splitlines()
    assert lines[0] == "results.children,results.id,results.name,input.user_id,input.n"
    assert lines[1] == "Carl,1,Alice,u1,1.5"
    assert lines[5] == 'Carl,1,Alice,"u,2",'
    without = files_of([DOCUMENTED], inputs=[{"user_id": "u1"}], include_inputs=False)
    assert without == files_of([DOCUMENTED])


def test_objects_and_first_elements_are_dotted_without_limit() -> None:
    """An array shows its first element in its object's row, and so on below it."""
    page = {"edges": [{"node": {"caption": {"edges": [{"node": {"text": "hi"}}, {"node": {"text": "ho"}}]}}}]}
    files = files_of([page])
    assert files["edges"] == "edges.node.caption.edges[0].node.text\nhi\n"
    assert files["edges.node.caption.edges"] == "edges.node.caption.edges.node.text\nhi\nho\n"


def test_the_root_is_a_row_where_it_has_scalars() -> None:
    """A response's own scalars make one row per response, with the first elements of its arrays."""
    page = {"kind": "list", "items": [{"snippet": {"title": "T"}}]}
    files = files_of([page])
    assert list(files) == ["items", "response"]
    assert files["response"] == "kind,items[0].snippet.title\nlist,T\n"
    assert files["items"] == "items.snippet.title,kind\nT,list\n"


def test_the_root_without_scalars_is_a_row_where_it_is_asked_for() -> None:
    """Naming `response` among the wanted collections gives its row, though only arrays are in it."""
    assert files_of([DOCUMENTED], result_collections=("response",)) == {
        "response": "results[0].id,results[0].name,results[0].children[0]\n1,Alice,Carl\n"
    }


def test_a_top_level_array_is_a_collection() -> None:
    """Its elements are rows without a prefix."""
    assert files_of([[{"id": 1}, {"id": 2}]]) == {"response": "id\n1\n2\n"}
    assert files_of([["x", "y"]]) == {"response": "response\nx\ny\n"}


def test_an_array_in_an_array_repeats_the_path() -> None:
    """The inner elements are rows of the same collection."""
    assert files_of([{"m": [[1, 2], [3]]}])["m"] == "m\n1\n2\n3\n"


def test_a_mixed_array_has_scalars_under_its_path_and_objects_under_dotted_keys() -> None:
    assert files_of([{"m": [1, {"k": 2}, None, {}]}])["m"] == "m,m.k\n1,\n,2\n,\n,\n"


def test_an_empty_array_is_no_row_and_no_column() -> None:
    assert files_of([{"id": 1, "tags": []}]) == {"response": "id\n1\n"}


def test_null_and_absent_are_empty_cells_and_booleans_are_lower_case() -> None:
    assert files_of([[{"a": None, "b": True}, {"b": False}]])["response"] == "a,b\n,true\n,false\n"


def test_a_lone_empty_cell_is_quoted() -> None:
    """Readers skip blank lines; `""` is a row with one empty cell."""
    assert files_of([[{"a": None}, {"a": ""}, {"a": "x\n\ny"}]])["response"] == 'a\n""\n""\n"x\n\ny"\n'


def test_columns_are_the_union_in_order_of_first_appearance() -> None:
    pages = [{"r": [{"a": 1}]}, {"r": [{"c": 3, "a": 2}, {"b": 4}]}]
    assert files_of(pages)["r"] == "r.a,r.c,r.b\n1,,\n2,3,\n,,4\n"


def test_grandchildren_carry_the_nearest_ancestor_first() -> None:
    page = {"next": "n", "r": [{"id": 1, "k": [{"id": 2, "g": ["x"]}]}]}
    assert files_of([page])["r.k.g"] == "r.k.g,r.k.id,r.id,next\nx,2,1,n\n"


def test_only_the_wanted_collections_come() -> None:
    assert list(files_of([DOCUMENTED], result_collections=("results.children",))) == ["results.children"]


def test_filters_drop_objects_with_all_rows_below_them() -> None:
    """A dropped parent's children are gone too, whichever way the rows are made."""
    keep = (Filter(path="results.name", op="!=", value="Alice"),)
    for pages in ([DOCUMENTED], [DOCUMENTED] * 3):
        files = files_of(pages, filters=keep)
        assert files["results"].count("Bob") == len(pages)
        assert "Alice" not in files["results"]
        assert "Carl" not in files["results.children"]


def test_a_dynamic_object_is_rows_of_keys_and_values() -> None:
    """An object at a key/value path is read as an array of its values, the key in its own column."""
    page = {"users": {"7": {"name": "A", "tags": ["x", "y"]}, "9": {"name": "B"}, "11": 5}}
    files = files_of([page], key_value_paths=(("users",),))
    assert files["users"] == "users.key,users.name,users.tags[0],users.value\n7,A,x,\n9,B,,\n11,,,5\n"
    assert files["users.tags"] == "users.tags,users.key,users.name\nx,7,A\ny,7,A\n"


def test_what_is_not_json_is_counted_and_named() -> None:
    """Bodies that cannot be read give no row; the extractor says which and why."""
    file = io.BytesIO()
    extractor = Extractor(Extraction(), file)
    for number, body in enumerate([b'{"a":1}', b"<html>", b'{"a":NaN}', b"", b" \n", b'{"a":2}']):
        extractor.feed(SourcePage(number, 0, {}, body))
    part = only_part([(part, None) for part in extractor.finish()])
    assert part.rows == 2
    assert (extractor.counts.pages, extractor.counts.unparsable, extractor.counts.empty) == (6, 2, 2)
    assert [(item, page) for item, page, _ in extractor.unparsable] == [(1, 0), (2, 0)]
    assert "NaN" in extractor.unparsable[1][2]


def test_settings_and_parts_travel_between_processes() -> None:
    """Extraction and Part survive msgpack."""
    extraction = Extraction(
        filters=(Filter(path="a", op=">", value=1),), input_names=("x",), key_value_paths=(("a", "b"),)
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(extraction), type=Extraction) == extraction
    for part, _ in extract([DOCUMENTED], "json"):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=type(part)) == part


def test_D1_odd_json_comes_through_exactly() -> None:
    """Numbers stand exactly as written, in CSV and in JSON; odd encodings are read, nothing crashes."""
    numbers = b'{"a":9223372036854775809,"b":3.141592653589793238462643383279,"c":1e400,"d":1.50,"e":-0.0}'
    row = "9223372036854775809,3.141592653589793238462643383279,1e400,1.50,-0.0"
    assert files_of([numbers])["response"].splitlines()[1] == row
    line = files_of([numbers], "jsonl")["response"]
    assert line == '{"input":{},"response":' + numbers.decode() + "}\n"
    long = b'{"n":' + b"7" * 5000 + b"}"
    assert files_of([long])["response"] == "n\n" + "7" * 5000 + "\n"
    assert files_of([b'{"a":1,"a":2}'])["response"] == "a\n2\n"
    assert files_of([b'\xef\xbb\xbf{"a":"\xc3\xa9"}'])["response"] == "a\né\n"
    assert files_of(['{"a":"é"}'.encode("utf-16")])["response"] == "a\né\n"
    assert files_of([b'{"a":"x\\ud800y\\u0000"}'])["response"] == "a\nx\ufffdy\0\n"
    assert files_of([b'{"a":NaN}', b'{"a":Infinity}', b'{"a":"\xff"}', b'{"a":"\0"}']) == {}
    assert files_of([b"[" * 100_000]) == {}


def test_D1_a_declared_charset_is_used() -> None:
    """A body that is not UTF-8 is decoded as its content type says; what its first bytes say goes before."""
    for body, charset in [
        (b'{"a":"\xe9"}', "ISO-8859-1"),
        (b'\xef\xbb\xbf{"a":"\xc3\xa9"}', "utf-8"),
        ('{"a":"é"}'.encode("utf-16"), "utf-8"),
        (b'{"a":"\xc3\xa9","b":"\\ud800"}', "no-such-charset"),
    ]:
        file = io.BytesIO()
        extractor = Extractor(Extraction(), file)
        extractor.feed(SourcePage(0, 0, {}, body, f'application/json; charset="{charset}"'))
        extractor.finish()
        assert "é".encode() in file.getvalue(), charset


def test_D1_mended_bodies_are_counted() -> None:
    extractor = Extractor(Extraction(), io.BytesIO())
    extractor.feed(SourcePage(0, 0, {}, b'\xef\xbb\xbf{"a":"\\ud800\\udc00\\ud800","b":1,"b":2}'))
    assert extractor.counts.flaws.surrogates == 1
    assert extractor.counts.flaws.duplicate_keys == 1


def test_D1_keys_that_become_one_by_mending_are_counted() -> None:
    """Of two half characters only the last one's value stays, and that is told."""
    flaws = Flaws()
    assert decoder()(b'{"\\ud800": 1, "\\ud801": 2}', "", flaws) == {"\ufffd": 2}
    assert (flaws.surrogates, flaws.duplicate_keys) == (2, 1)


def test_D2_no_column_overwrites_another() -> None:
    """Where two paths make one name the later gets a suffix, and the table says so; keys stay verbatim."""
    page = {"a.b": 1, "a": {"b": 2}, "A": 3, "a[0]": 4, "x": [5], "x[0]": 6, 'q"': 7, "k,\n": 8}
    sources = extract([page])
    table = next(table for table in tables_of(sources) if table.name == "response")
    rows = read_csv(combine(sources)["response"])
    assert rows[0] == ["a.b", "a.b_2", "A", "a[0]", "x[0]", "x[0]_2", 'q"', "k,\n"]
    assert rows[1] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert table.renamed == [("a.b", "a.b_2"), ("x[0]", "x[0]_2")]


def test_D2_json_keys_keep_apart_too() -> None:
    (text,) = files_of([[{"a.b": 1, "a": {"b": 2}}]], "jsonl").values()
    assert json.loads(text)["response"] == {"a.b": 1, "a.b_2": 2}


def test_D4_a_field_of_every_kind_loses_nothing() -> None:
    """Null, scalar, object and list in turn: every value in its own column or row, none moved."""
    page = {"r": [{"v": None, "z": 1}, {"v": 5, "z": 2}, {"v": {"k": 6}, "z": 3}, {"v": [7, 8], "z": 4}]}
    for count in (1, 4):
        files = files_of([page] * count)
        assert files["r"] == "r.v,r.z,r.v.k,r.v[0]\n" + ",1,,\n5,2,,\n,3,6,\n,4,,7\n" * count
        assert files["r.v"] == "r.v,r.z\n" + "7,4\n8,4\n" * count


def test_D5_formulas_are_exact_by_default_and_guarded_on_request() -> None:
    """Data is data, unless spreadsheet_safe is on; numbers are never touched."""
    page = [{"=a": "=1+1", "b": "+x", "c": "-x", "d": "@x", "e": "\tx", "f": -5, "g": -1.5, "h": "\0=1"}]
    exact = files_of([page])["response"]
    assert read_csv(exact)[1] == ["=1+1", "+x", "-x", "@x", "\tx", "-5", "-1.5", "\0=1"]
    sources = extract([page] * 3, spreadsheet_safe=True, inputs=[{"v": "=1"}] * 3)
    rows = read_csv(combine(sources, spreadsheet_safe=True)["response"])
    assert rows[0][0] == "'=a"
    assert rows[1] == rows[3] == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "-5", "-1.5", "'\0=1", "'=1"]


@pytest.mark.parametrize("compiled", [True, False])
@given(values=responses)
@settings(max_examples=60, deadline=None)
def test_any_json_comes_out_as_the_plain_reference_says(values: list[Any], compiled: bool) -> None:
    """Rows in = rows out: every scalar exactly once in its own row, for whatever JSON."""
    sources = extract(values, compiled=compiled)
    tables = {table.path: table for table in tables_of(sources)}
    files = combine(sources)
    expected = plain_tables(values)
    assert set(tables) == set(expected)
    for path, plain in expected.items():
        table = tables[path]
        assert [list(plain.own), list(plain.ancestors)] == [table.own, table.ancestors]
        rows = read_csv(files[table.name])
        assert rows[0] == table.header
        assert rows[1:] == plain.texts()
        assert len(set(table.header)) == len(table.header)


@pytest.mark.parametrize("output_format", ["csv", "json", "jsonl"])
@given(values=responses, data=st.data())
@settings(max_examples=50, deadline=None)
def test_files_are_the_same_however_pages_are_split(output_format: str, values: list[Any], data: Any) -> None:
    """One shard or many, walked or by columns: the same tables in the same order, the same bytes."""
    split = data.draw(st.lists(st.integers(0, len(values)), max_size=4))
    inputs = [
        {"v": value} for value in data.draw(st.lists(scalars, min_size=len(values), max_size=len(values)))
    ]
    whole = files_of(values, output_format, inputs=inputs, compiled=False)
    pieces = files_of(values, output_format, inputs=inputs, split=split)
    assert list(pieces.items()) == list(whole.items())


@given(values=responses)
@settings(max_examples=50, deadline=None)
def test_csv_and_json_agree_cell_by_cell(values: list[Any]) -> None:
    """What CSV says, read by the csv module, is what JSON says."""
    csv_sources, json_sources = extract(values), extract(values, "jsonl")
    csv_files, json_files = combine(csv_sources), combine(json_sources, "jsonl")
    assert list(csv_files) == list(json_files)
    for table in tables_of(csv_sources):
        rows = read_csv(csv_files[table.name])[1:]
        lines = [json.loads(line)["response"] for line in json_files[table.name].split("\n")[:-1]]
        assert len(rows) == len(lines) == table.rows
        for row, line in zip(rows, lines, strict=True):
            cells = dict(zip([column.key for column in table.columns], row, strict=True))
            assert set(line) <= set(cells)
            assert {key: _cell(line.get(key)) for key in cells} == cells


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


@given(values=alike, threshold=st.integers(-5, 5))
@settings(max_examples=50, deadline=None)
def test_filtered_rows_are_the_rows_of_what_is_left(values: list[Any], threshold: int) -> None:
    """Filtering and then extracting, whichever way, is extracting what a plain filter leaves."""
    kept = [
        {**value, "rows": [row for row in value["rows"] if row["id"] > threshold]}
        if "rows" in value
        else value
        for value in values
    ]
    filters = (Filter(path="rows.id", op=">", value=threshold),)
    for compiled in (True, False):
        assert files_of(values, filters=filters, compiled=compiled) == files_of(kept, compiled=False)


def test_a_response_without_scalars_is_no_row_among_those_that_are() -> None:
    pages = [{"id": 1, "r": [1]}, {"r": [2]}] * 5
    assert files_of(pages)["response"] == "id,r[0]\n" + "1,1\n" * 5


def test_the_least_depth_of_a_collection_counts() -> None:
    """How deep an array stands is judged by where it stands least deep, in whatever order it is met."""
    flat, deep = {"a": {"b": [1]}}, {"a": [{"b": [2]}]}
    for pages in ([flat, deep], [deep, flat], [deep, flat, deep, deep], [flat, deep, deep]):
        for split in ([], [1]):
            depths = {table.name: table.depth for table in tables_of(extract(pages, split=split))}
            assert depths == {"a.b": 1, "a": 1}


def test_rows_of_one_path_at_two_places_stay_in_order() -> None:
    """`a.b` is met inside of an object and inside of an array's elements, in turn."""
    pages = [{"a": {"b": [1]}}, {"a": [{"b": [2]}]}] * 5
    assert files_of(pages)["a.b"] == "a.b\n" + "1\n2\n" * 5


@pytest.mark.parametrize(
    ("head", "tail"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]"), (b'{"a":[[', b"]]}")]
)
def test_D6_depth_is_walked_up_to_a_limit_and_refused_beyond(head: bytes, tail: bytes) -> None:
    """512 levels give their scalar; more are an unparsable page, whatever they are made of, never a crash."""
    levels = head.count(b"[") + head.count(b"{")
    for count, rows in ((512 // levels, True), (512 // levels + 1, False), (400, False), (5000, False)):
        if count == 400 and levels == 1:
            continue
        body = head * count + b"17" + tail * count
        for filters in ((), (Filter(path="x.y", value=1),), (Filter(path="a.a.a[0]", op="!=", value=1),)):
            extractor = Extractor(Extraction(filters=filters), io.BytesIO())
            extractor.feed(SourcePage(0, 0, {}, body))
            parts = extractor.finish()
            assert bool(parts) is rows
            assert extractor.counts.unparsable == (0 if rows else 1)


def test_a_shape_that_changes_after_many_pages_is_noticed() -> None:
    """Where only scalars were there is an object, then a list: each in its own column and rows."""
    pages = [{"r": [{"v": 1}]}] * 4 + [{"r": [{"v": {"k": 2}}]}] * 2 + [{"r": [{"v": [3]}]}] * 2
    files = files_of(pages)
    assert files["r"] == "r.v,r.v.k,r.v[0]\n" + "1,,\n" * 4 + ",2,\n" * 2 + ",,3\n" * 2
    assert files["r.v"] == "r.v\n3\n3\n"


@pytest.mark.parametrize("text", ["a,b", 'say "a"', "a\nb", "a\rb", 'a,"b"\n', "\x1d,"])
def test_columns_of_texts_are_quoted_where_they_must_be(text: str) -> None:
    pages = [[{"t": text, "u": "plain"}, {"t": "plain", "u": None}]] * 4
    rows = read_csv(files_of(pages)["response"])
    assert rows[1:] == [[text, "plain"], ["plain", ""]] * 4


def test_a_page_of_many_keys_behind_pages_of_few_loses_nothing() -> None:
    """What was gathered is written before keys turn out to be data."""
    pages = [{"u": {"a": number}} for number in range(5)] + [{"u": {f"k{key}": key for key in range(40)}}]
    parts = [part for part, _ in extract(pages, key_value_threshold=30)]
    assert [part.path for part in parts] == [(), ("u",)]
    assert [part.rows for part in parts] == [5, 40]
    assert parts[0].dynamic == [("u",)]


def test_memory_stays_flat_in_rows() -> None:
    """Blocks are written as they fill up: what waits is bounded, however many pages come."""
    file = io.BytesIO()
    extractor = Extractor(Extraction(), file)
    body = encode({"r": [{"id": number, "text": "x" * 100} for number in range(100)]})
    for number in range(200):
        extractor.feed(SourcePage(number, 0, {}, body))
    assert len(file.getvalue()) > 1_000_000
    (part,) = extractor.finish()
    assert part.rows == 20_000
    assert len(part.blocks) < 20
    assert sum(block.rows for block in part.blocks) == 20_000
    sources = [(part, lambda offset, length: file.getvalue()[offset : offset + length])]
    assert parts_of(sources, tables_of(sources)[0]) == sources


@given(st.lists(st.none() | st.integers(-(2**70), 2**70), max_size=6), st.lists(scalars, max_size=2))
def test_columns_are_written_as_their_values_one_by_one(integers: list[Any], others: list[Any]) -> None:
    """Integers however large, with gaps and among other kinds; a text that reads `null` stays one."""
    cells = CellWriter()
    for values in (integers, integers + others):
        gaps = [UNSET if value is None else value for value in values]
        assert list(cells.write_column(Column(gaps))) == [cells.write(value) for value in values]
        assert list(cells.write_column(Column(values))) == [cells.write(value) for value in values]
