"""Whether a model answers its rows as it did: honest noise passes, and each seeded skew is told."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.serve.samples.difference import (
    MAX_DEPTH,
    TOLERANCE,
    difference,
    is_within,
    value_of,
)

FLOATS = st.floats(-1e6, 1e6, allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(JSON)
def test_an_answer_is_as_it_was(answer: Any) -> None:
    assert difference(copy.deepcopy(answer), answer) == ""


@given(st.lists(FLOATS, min_size=1, max_size=20), st.data())
def test_the_noise_of_another_machine_is_no_difference(values: list[float], data: Any) -> None:
    scale = max(map(abs, values))
    noise = st.floats(-TOLERANCE / 2, TOLERANCE / 2)
    told = [value + scale * data.draw(noise) for value in values]
    assert difference({"logits": told}, {"logits": values}) == ""


@given(st.lists(FLOATS, min_size=1, max_size=20), st.data())
def test_a_float_that_is_off_by_more_is_named(values: list[float], data: Any) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    off = max(max(map(abs, values)), 1e-3) * 3 * TOLERANCE
    told = [value + off * (index == at) for index, value in enumerate(values)]
    assert f"[{at}]" in difference(told, values)


@given(st.integers(), st.integers(1, 10))
def test_a_whole_number_is_the_same_or_it_is_not(value: int, off: int) -> None:
    assert difference(value + off, value)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (True, 1),
        (1, True),
        (None, 0.0),
        ("1.0", 1.0),
        ([1.0], [1.0, 2.0]),
        ({"a": 1.0}, {"b": 1.0}),
        (math.nan, 1.0),
        (math.inf, -math.inf),
        ({"label": "cat", "p": 0.9}, {"label": "dog", "p": 0.9}),
        (10**400, 1.0),
        (1.0, math.inf),
        (b"cat", b"dog"),
        (b"cat", "cat"),
    ],
)
def test_another_kind_of_answer_is_a_difference(told: Any, expected: Any) -> None:
    assert difference(told, expected)


Skew = Callable[[list[list[float]]], Any]
SKEWS: dict[str, Skew] = {
    "labels in another order": lambda rows: [row[::-1] for row in rows],
    "a weight with a flipped bit": lambda rows: [[row[0] * 2, *row[1:]] for row in rows],
    "quantised too far": lambda rows: [[round(value * 4) / 4 for value in row] for row in rows],
    "another dtype": lambda rows: [[float(int(value)) for value in row] for row in rows],
    "another preprocessing": lambda rows: [[value / 255 for value in row] for row in rows],
    "a stale cache": lambda rows: [rows[0]] * len(rows),
    "an effect of the batch": lambda rows: [[value + 0.01 for value in row] for row in rows],
    "a class that is missing": lambda rows: [row[:-1] for row in rows],
}
ROWS = [[0.11, 0.62, 0.27], [0.81, 0.12, 0.07], [0.33, 0.35, 0.32]]


@pytest.mark.parametrize("name", SKEWS)
def test_a_skew_is_told_with_its_place(name: str) -> None:
    assert difference(SKEWS[name](ROWS), ROWS).startswith("at [")


@given(JSON, JSON)
def test_two_answers_differ_in_words_that_can_be_shown(told: Any, expected: Any) -> None:
    words = difference(told, expected)
    assert words.isascii()
    assert words.isprintable()
    assert len(words) < 600


def test_a_key_that_a_terminal_would_obey_is_told_without_it() -> None:
    words = difference({"\x1b[2J" * 99: 1}, {"\x1b[2J" * 99: 2})
    assert words.startswith("at .\\u001b[2J")
    assert words.isprintable()


@given(st.binary(max_size=60))
def test_any_answer_is_a_value_that_is_itself(body: bytes) -> None:
    value = value_of(body)
    assert difference(value, value_of(body)) == ""
    assert is_within(value, MAX_DEPTH)


@pytest.mark.parametrize(
    "body", [b"NaN", b"[Infinity]", b"cat", b"\xff", b"[" * 5000, b"[" * 65 + b"]" * 65]
)
def test_what_is_no_json_or_nested_deeply_is_compared_byte_by_byte(body: bytes) -> None:
    assert value_of(body) == body
