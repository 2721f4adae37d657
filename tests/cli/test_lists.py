"""What is read from files and options."""

from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from swath.cli.failures import Wrong, tell
from swath.cli.lists import read_list, read_place
from swath.cli.options import find_secrets, read_params, read_proxy, read_secrets, write_secret
from swath.cli.screen import write_inline, write_size, write_time
from swath.cli.sources import FormulaFile


@pytest.mark.parametrize(
    ("name", "text", "column", "items"),
    [
        ("a.csv", "id;name\n1;Ann\n2;\n", "name", ["Ann"]),
        ("a.csv", "\ufeffid\n007\n1.10\n", None, ["007", "1.10"]),
        ("a.csv", 'id,name\n1,"Doe, Ann"\n', None, [{"id": "1", "name": "Doe, Ann"}]),
        ("a.tsv", "id\tname\n1\tAnn, Bob\n", "name", ["Ann, Bob"]),
        ("a.json", '[{"id": 1}, {"id": 2}]', "id", [1, 2]),
        ("a.jsonl", '{"id": 1}\n\n{"id": 2}\n', None, [{"id": 1}, {"id": 2}]),
        ("a.txt", "ada\n\n bob \n", None, ["ada", "bob"]),
    ],
)
def test_lists_are_read_by_the_kind_of_file(
    tmp_path: Path, name: str, text: str, column: str | None, items: list[object]
) -> None:
    """Of one column texts, of several objects; nothing of an empty cell or line."""
    (tmp_path / name).write_text(text)
    assert read_list(tmp_path / name, column) == items


@pytest.mark.parametrize(
    ("name", "text", "column", "told"),
    [
        ("a.csv", "id\n1\n", "name", "has no column 'name'. There are: id."),
        ("a.json", "{}", None, "must hold a list."),
        ("a.jsonl", '{"a": 1}\n{"a":\n', None, ":2: not JSON"),
        ("a.txt", "x", "id", "has no columns"),
    ],
)
def test_a_list_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, text: str, column: str | None, told: str
) -> None:
    """With the file, and the line where there is one."""
    (tmp_path / name).write_text(text)
    with pytest.raises(Wrong) as caught:
        read_list(tmp_path / name, column)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("collections", "told"),
    [
        ("  P: {file: gone.csv}", "f.yaml:3: collections.P.file: {}/gone.csv: No such file or directory."),
        (
            "  - {name: P, file: a.csv, column: x}",
            "f.yaml:3: collections.0.file: {}/a.csv: has no column 'x'.",
        ),
    ],
)
def test_a_list_that_a_formula_names_in_vain_is_told_with_its_line(
    tmp_path: Path, collections: str, told: str
) -> None:
    """The file, and where the formula names it."""
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "f.yaml").write_text(f"endpoints: {{}}\ncollections:\n{collections}\n")
    with pytest.raises(Wrong) as caught:
        FormulaFile(tmp_path / "f.yaml")
    assert told.format(tmp_path) in str(caught.value)


def test_a_place_is_a_file_and_a_column(tmp_path: Path) -> None:
    """A file whose own name holds a colon is taken as it is."""
    (tmp_path / "a:b.csv").write_text("")
    assert read_place("people.csv:login") == (Path("people.csv"), "login")
    assert read_place("people.csv") == (Path("people.csv"), None)
    assert read_place(str(tmp_path / "a:b.csv")) == (tmp_path / "a:b.csv", None)


def test_parameters_are_texts_unless_they_look_like_json() -> None:
    """Numbers stay as they are written."""
    given = ["a=007", "b=[1, 2]", 'c={"x": 1}', "d=true", "e=x=y", 'f="5"']
    assert read_params(given) == {"a": "007", "b": [1, 2], "c": {"x": 1}, "d": True, "e": "x=y", "f": "5"}
    with pytest.raises(Wrong, match="looks like JSON"):
        read_params(["a=[1"])


def test_secrets_come_from_options_files_and_the_environment(tmp_path: Path) -> None:
    """In a file, one a line; in the environment by their names."""
    (tmp_path / "s").write_text("token=a=b\n\nkey=c\n")
    given = read_secrets([f"@{tmp_path / 's'}", "key=d"])
    assert given.of({"token", "key"}) == {"token": "a=b", "key": "d"}
    assert given.of(set()) == {"key": "d"}
    assert "a=b" not in repr(given)
    environment = {"SWATH_SECRET_API_KEY": "x"}
    assert find_secrets(["Orders.api-key", "other"], environment) == {"Orders.api-key": "x"}


@given(st.dictionaries(st.sampled_from(["a", "b", "O.c"]), st.text(min_size=1), min_size=1))
def test_secrets_that_were_written_are_read(secrets: dict[str, str]) -> None:
    """A key of several lines, quotes, blanks at the ends."""
    with NamedTemporaryFile("w", newline="", encoding="utf-8") as file:
        file.writelines(write_secret(name, value) for name, value in secrets.items())
        file.flush()
        assert read_secrets([f"@{file.name}"]).of(secrets) == secrets


def test_a_proxy_is_a_url_or_a_type() -> None:
    """As an execution takes it."""
    assert read_proxy("dedicated:nyc") == {"type": "dedicated", "location": "nyc"}
    assert read_proxy("shared") == {"type": "shared"}
    assert read_proxy("me:pw@host:1") == {"type": "custom", "url": "me:pw@host:1"}
    assert read_proxy(None) is None


def test_findings_are_told_as_compilers_tell_them() -> None:
    """So that an editor jumps to the line."""
    assert tell("a.b", "Line 3: Blank.", "f.yaml") == "f.yaml:3: a.b: Blank."
    assert tell("a.b", "Blank.", "f.yaml") == "a.b: Blank."


def test_fields_are_written_as_yaml_reads_them() -> None:
    """On one line: what would mean something else has quotes."""
    fields = {
        "type": "next_url",
        "limit": 1000,
        "path": '["@odata.nextLink"]',
        "a": "x, y: {z}",
        "b": "true",
        "c": True,
    }
    written = write_inline(fields)
    assert written.startswith("{type: next_url, limit: 1000, path: ")
    assert yaml.safe_load(written) == fields


def test_sizes_and_times_are_for_people() -> None:
    """Rounded, with a unit."""
    assert [write_size(size) for size in (999, 1_500, 2_500_000)] == ["999 B", "1.5 KB", "2.5 MB"]
    assert [write_time(seconds) for seconds in (5, 600, 7_200)] == ["5 s", "10 min", "2.0 h"]
