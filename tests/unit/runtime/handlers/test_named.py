from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers import tensors
from slipway_handlers.named import rows
from slipway_handlers.requests import BadInputError
from slipway_handlers.signature import SignatureError, Tensor

LEFT, RIGHT = Tensor("left", "float32", (-1, -1)), Tensor("right", "int64")
INPUTS = rows.settings([LEFT, RIGHT])
OUTPUTS = (Tensor("sum", "float32"), Tensor("twice", "int64"))


def answers(*bodies: Any) -> list[Any]:
    """Ask a model that adds and doubles, by the way of the handler."""

    def model(arrays: list[tensors.Array]) -> list[Any]:
        left, right = arrays
        output = rows.named_outputs((left.sum(axis=1) + right, 2 * right), OUTPUTS)
        return tensors.plain_rows(output, len(left))

    return rows.predict([rows.read(body, INPUTS) for body in bodies], model)


def test_rows_instances_and_inputs_are_answered_by_the_outputs_names() -> None:
    row = {"left": [1, 2], "right": 3}
    told = [{"sum": 6.0, "twice": 6}]
    assert answers([row]) == [told]
    assert answers({"instances": [row]}) == [{"predictions": told}]
    assert answers({"inputs": {"right": [3], "left": [[1, 2]]}}) == [told]
    assert answers(b'[{"left": [1, 2], "right": 3}]') == [told]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=6))
def test_requests_of_different_shapes_in_one_batch_get_their_own_answers(
    shapes: list[tuple[int, int]],
) -> None:
    bodies, expected = [], []
    for number, (count, length) in enumerate(shapes):
        bodies.append([{"left": [1] * length, "right": number}] * count)
        expected.append([{"sum": float(length + number), "twice": 2 * number}] * count)
    assert answers(*bodies) == expected


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "send rows by name"),
        ([[1]], "send rows by name"),
        ({}, "send rows by name"),
        ("{", "no JSON"),
        ([{"left": [1]}], "its rows have 'left', and the model takes left, right"),
        ([{}], "its rows have no inputs, and the model takes"),
        ([{"left": [1], "right": 1}, {"left": [1]}], "row 1 has other inputs than the first"),
        ([{"left": [1], "right": 1.5}], "right: its rows hold fractions"),
        ([{"left": 1, "right": 1}], r"left: a row has the shape \[\] and not \[-1\]"),
        ([{"left": ["a"], "right": 1}], "left: its rows hold something else"),
        ([{"left": [1], "right": 1}, {"left": [1, 2], "right": 1}], "left: its rows are not all"),
        ({"inputs": {"left": 5, "right": [1]}}, "left: it is no list of rows"),
        ({"inputs": {"left": {"instances": [[1]]}, "right": [1]}}, "left: it is no list"),
        ({"inputs": {"left": [[1]], "right": [1, 2]}}, "different numbers of rows"),
    ],
)
def test_what_is_no_rows_of_the_inputs_is_refused_by_their_name(found: Any, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        rows.read(found, INPUTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)
ROW = st.fixed_dictionaries({"left": JSON | st.lists(st.integers()), "right": JSON})


@given(JSON | st.lists(ROW, max_size=3) | ROW.map(lambda row: {"inputs": row}))
def test_any_json_becomes_rows_of_the_declared_types_or_the_clients_mistake(found: Any) -> None:
    try:
        made = rows.read(found, INPUTS)
    except BadInputError:
        return
    left, right = made.values
    assert (str(left.dtype), str(right.dtype)) == ("float32", "int64")
    assert (left.ndim, right.ndim) == (2, 1)
    assert len(left) == len(right) == made.rows > 0


def test_an_input_that_holds_no_numbers_is_refused_where_the_model_is_loaded() -> None:
    with pytest.raises(SignatureError, match="input name has the type string"):
        rows.settings([LEFT, Tensor("name", "string")])


def test_one_output_stays_without_a_name() -> None:
    assert rows.named_outputs([1], OUTPUTS[:1]) == [1]
    assert rows.named_outputs([1, 2, 3], OUTPUTS) == [1, 2, 3]
