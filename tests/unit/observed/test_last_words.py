"""What containers leave as JSON, whoever wrote it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.observed.last_words import json_object

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
OBJECTS = st.dictionaries(st.text(), st.recursive(PLAIN, lambda inner: st.lists(inner)))


@given(OBJECTS)
def test_an_object_is_read_as_it_was_written(written: dict[str, object]) -> None:
    assert json_object(json.dumps(written)) == written


@given(st.text() | OBJECTS.map(json.dumps).map(lambda text: text[:-1]))
def test_anything_else_is_empty_or_an_object(text: str) -> None:
    assert isinstance(json_object(text), dict)


@pytest.mark.parametrize("text", ["", "[1]", "7", "null", "[" * 4096, '{"a":' * 1365, "1" * 4096])
def test_what_is_no_object_is_empty(text: str) -> None:
    assert json_object(text) == {}


@pytest.mark.parametrize("field", ["message", "\ud800"])
def test_what_it_holds_can_be_written_as_text(field: str) -> None:
    found = json_object(json.dumps({field: ["\ud800", {"\udfff": "x"}]}))
    assert json.dumps(found, ensure_ascii=False).encode()
