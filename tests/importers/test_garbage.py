"""Whatever a source holds, an import gives a formula that Swath takes, or says what is wrong."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.importers import test_airbyte, test_har, test_openapi, test_postman
from tests.importers.test_curl import BASH, OTHERS
from tests.importers.wire import check_formula

from swath.errors import InvalidInput
from swath.importers import KINDS

Json = Any

#: Documents of each kind that have much in them.
DOCUMENTS: dict[str, list[Json]] = {
    "har": [json.loads(test_har.har(*entries)) for entries, _, _ in test_har.PAGED.values()]
    + [json.loads(test_har.har(*test_har.SINGLE.values()))],
    "openapi": [yaml.safe_load(case.document) for case in test_openapi.CASES.values()],
    "postman": [json.loads(case.collection) for case in test_postman.CASES.values()],
    "airbyte": [yaml.safe_load(case.manifest) for case in test_airbyte.CASES.values()]
    + [yaml.safe_load(test_airbyte.REFERENCES)],
}
ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "x",
        "{{",
        "{{ a }}",
        "{% x",
        "$ref",
        "#/",
        "http://",
        [],
        [None],
        {},
        {"a": []},
        [[1]],
        ["x"],
    ]
)


def places(value: Json) -> list[tuple[Json, Any]]:
    """Every container in a document with each of its keys."""
    keys: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    found = [(value, key) for key in keys]
    for key in keys:
        found += places(value[key])
    return found


@pytest.mark.parametrize("kind", DOCUMENTS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_document_is_refused_or_read(kind: str, data: st.DataObject) -> None:
    """Parts of a document are replaced by others, or left out."""
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS[kind])))
    for _ in range(data.draw(st.integers(1, 3))):
        known = places(document)
        holder, key = known[data.draw(st.integers(0, len(known) - 1))]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(data.draw(ODD))
        if not places(document):
            break
    text = json.dumps(document)
    read_or_refuse(KINDS[kind], text)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_command_is_refused_or_read(data: st.DataObject) -> None:
    """Characters of a command are left out, doubled or replaced."""
    text = data.draw(st.sampled_from([*BASH.values(), *(written for written, _ in OTHERS.values())]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(text) - 1, 0)))
        text = (
            text[:at]
            + data.draw(
                st.sampled_from(["", '"', "'", "\\", "$", "{", "{{", "}", "^", "`", "@", "\n", "[", "-"])
            )
            + text[at + 1 :]
        )
    read_or_refuse(KINDS["curl"], text)


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(max_size=60))
def test_any_text_is_refused_or_read(kind: str, text: str) -> None:
    read_or_refuse(KINDS[kind], text)


def read_or_refuse(read: Callable[[str], Any], text: str) -> None:
    try:
        imported = read(text)
    except InvalidInput:
        return
    check_formula(imported)
