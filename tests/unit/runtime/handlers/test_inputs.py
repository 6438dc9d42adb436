"""What a compiled program is asked: nothing that it would read beyond the end of."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers.formats.inputs import Checked, Inputs
from slipway_handlers.requests import BadInputError

TOLD = {
    "inputs": [
        {"dtype": "float32", "shape": ["rows", 4]},
        {"dtype": "int64", "shape": ["rows", "length"]},
    ],
    "sides": {"rows": [1, None], "length": [2, 512]},
}
INPUTS = Inputs.read(json.dumps(TOLD))


class Tensor:
    """As much of a tensor as is looked at."""

    def __init__(self, dtype: str, *shape: int) -> None:
        self.dtype, self.shape, self.is_contiguous = f"torch.{dtype}", shape, False

    def contiguous(self) -> "Tensor":
        found = Tensor(self.dtype.removeprefix("torch."), *self.shape)
        found.is_contiguous = True
        return found


@pytest.mark.parametrize(("rows", "length"), [(1, 2), (7, 512)])
def test_a_model_gets_what_it_takes_in_one_piece(rows: int, length: int) -> None:
    model = Checked(lambda *given: [one.is_contiguous for one in given], INPUTS)
    assert model(Tensor("float32", rows, 4), Tensor("int64", rows, length)) == [True, True]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (("float32", 3, 5), ("int64", 3, 9), r"float32 of the shape \[1 or more, 4\], and not"),
        (("float32", 3, 3), ("int64", 3, 9), r"not float32 of \[3, 3\]"),
        (("float32", 3), ("int64", 3, 9), r"not float32 of \[3\]"),
        (("float32", 3, 4, 1), ("int64", 3, 9), r"not float32 of \[3, 4, 1\]"),
        (("float64", 3, 4), ("int64", 3, 9), r"not float64 of \[3, 4\]"),
        (("float32", 0, 4), ("int64", 0, 9), r"not float32 of \[0, 4\]"),
        (("float32", 3, 4), ("int64", 2, 9), r"int64 of the shape \[1 or more, 2 to 512\]"),
        (("float32", 3, 4), ("int64", 3, 513), r"not int64 of \[3, 513\]"),
        (("float32", 3, 4), ("int64", 3, 1), r"not int64 of \[3, 1\]"),
    ],
)
def test_all_else_is_refused_with_both_sides(first: Any, second: Any, message: str) -> None:
    model = Checked(lambda *_: pytest.fail("it was asked"), INPUTS)
    with pytest.raises(BadInputError, match=message):
        model(Tensor(*first), Tensor(*second))


def test_an_input_too_few_is_refused() -> None:
    with pytest.raises(BadInputError, match="2 inputs, and not 1"):
        Checked(lambda *_: pytest.fail("it was asked"), INPUTS)(Tensor("float32", 3, 4))


SHAPES = st.lists(st.integers(0, 600), max_size=4).map(tuple)


@given(SHAPES, SHAPES)
def test_whatever_passes_is_within_what_was_told(
    first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    with contextlib.suppress(BadInputError):
        INPUTS.check([("float32", first), ("int64", second)])
        assert first == (second[0], 4)
        assert second[0] >= 1
        (_, length) = second
        assert 2 <= length <= 512


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"inputs": [], "sides": {}},
        {"inputs": [{"dtype": "float32", "shape": ["rows"]}], "sides": {}},
        {"inputs": [{"dtype": "float32", "shape": [True]}], "sides": {}},
        {"inputs": [{"dtype": 7, "shape": [2]}], "sides": {}},
        {"inputs": [{"dtype": "float32", "shape": 2}], "sides": {}},
        {"inputs": [{"dtype": "float32", "shape": [[2]]}], "sides": {}},
        {"inputs": [{"dtype": "float32", "shape": [2] * 65}], "sides": {}},
        {"inputs": [{"dtype": "float32", "shape": [2]}] * 65, "sides": {}},
        {**TOLD, "sides": {"rows": [1], "length": [2, 512]}},
        {**TOLD, "sides": {"rows": [1.5, None], "length": [2, 512]}},
        {**TOLD, "sides": {"rows": [1, "x"], "length": [2, 512]}},
    ],
    ids=range(12),
)
def test_what_is_no_description_of_inputs_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match="no "):
        Inputs.read(json.dumps(told))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["inputs", "sides", "dtype", "shape", "s"]), inner)
    ),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_told_is_read_or_refused(told: Any) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(Inputs.read(json.dumps(told)), Inputs)
