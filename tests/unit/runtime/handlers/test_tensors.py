import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers import tensors
from slipway_handlers.requests import BadInputError
from slipway_handlers.settings import TensorSettings

ANY = TensorSettings()


def answers(*bodies: Any, settings: TensorSettings = ANY) -> list[Any]:
    """Ask a model that doubles, by the way of the handler."""
    batch = [tensors.read(found, settings) for found in bodies]
    return tensors.predict(batch, lambda rows: tensors.plain_rows(2 * rows, len(rows)))


def test_rows_are_answered_by_rows_and_instances_by_predictions() -> None:
    assert answers([[1, 2.5], [3, 4]]) == [[[2.0, 5.0], [6.0, 8.0]]]
    assert answers({"instances": [[1], [2]]}) == [{"predictions": [[2.0], [4.0]]}]


def test_a_body_without_the_content_type_of_json_is_read_all_the_same() -> None:
    assert answers(b"[[1]]", "[[2]]") == [[[2.0]], [[4.0]]]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=6))
def test_requests_of_different_shapes_in_one_batch_get_their_own_answers(
    shapes: list[tuple[int, int]],
) -> None:
    bodies = [np.full(shape, number).tolist() for number, shape in enumerate(shapes)]
    doubled = [np.full(shape, 2.0 * number).tolist() for number, shape in enumerate(shapes)]
    assert answers(*bodies) == doubled


def within(depth: int) -> Any:
    """Return a number within lists within each other."""
    return [within(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({}, "send rows"),
        ([], "send rows"),
        (1.5, "send rows"),
        ("{", "no JSON"),
        ([[1, 2], [3]], "not all of one shape"),
        ([["1"]], "something else than numbers"),
        ([[True]], "something else than numbers"),
        ([[None]], "something else than numbers"),
        ([[1, True]], "something else than numbers"),
        ([1, [1]], "not all of one shape"),
        ([[2**64]], "something else than numbers"),
        (within(70), "something else than numbers"),
        ([{"a": 1}], "something else than numbers"),
        ([[float("nan")]], "that float32 cannot hold"),
        ([[1e300]], "that float32 cannot hold"),
        ({"instances": 1}, "send rows"),
    ],
)
def test_what_is_no_rows_of_numbers_is_the_clients_mistake(found: Any, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        tensors.read(found, ANY)


def test_a_long_text_among_many_numbers_takes_no_place_for_each_of_them() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadInputError, match="something else than numbers"):
            tensors.read(["x" * 1_000, *range(20_000)], ANY)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(JSON | JSON.map(lambda rows: {"instances": rows}), st.sampled_from(["float32", "int32"]))
def test_any_json_becomes_finite_rows_of_the_models_type_or_the_clients_mistake(
    found: Any, dtype: str
) -> None:
    try:
        rows = tensors.read(found, TensorSettings(dtype))
    except BadInputError:
        return
    assert rows.values.dtype == np.dtype(dtype)
    assert len(rows.values) > 0
    assert np.isfinite(rows.values).all()


def test_a_shape_is_held_with_a_side_of_any_length() -> None:
    settings = TensorSettings(shape=(-1, 2))
    assert tensors.read([[[1, 2]], [[3, 4]]], settings).values.shape == (2, 1, 2)
    with pytest.raises(BadInputError, match=r"a row has the shape \[3\] and not \[-1, 2\]"):
        tensors.read([[1, 2, 3]], settings)
    with pytest.raises(BadInputError, match=r"\[1, 3\]"):
        tensors.read([[[1, 2, 3]]], settings)


@pytest.mark.parametrize(("value", "whole"), [(3, True), (3.5, False), (2**40, False)])
def test_whole_numbers_stay_whole(value: float, whole: bool) -> None:
    settings = TensorSettings(dtype="int32")
    if whole:
        assert tensors.read([[value]], settings).values.tolist() == [[3]]
    else:
        with pytest.raises(BadInputError):
            tensors.read([[value]], settings)


def test_several_outputs_of_a_model_are_told_row_by_row() -> None:
    first, second = np.array([[1], [2]]), np.array([3, 4])
    assert tensors.plain_rows((first, second), 2) == [[[1], 3], [[2], 4]]
    named = tensors.plain_rows({"a": first, "b": second}, 2)
    assert named == [{"a": [1], "b": 3}, {"a": [2], "b": 4}]


@pytest.mark.parametrize("output", [np.array(1.0), np.array([1.0])])
def test_a_model_that_does_not_answer_each_row_is_told_so(output: Any) -> None:
    with pytest.raises(ValueError, match="must be the number of rows, 2"):
        tensors.plain_rows(output, 2)


class Huge:
    """A model's output of which no more is to be touched than its shape."""

    shape = (2, tensors.MAX_ANSWERED // 2 + 1)


@pytest.mark.parametrize("output", [Huge(), (Huge(),), {"a": Huge()}, [{"a": (Huge(),)}]])
def test_an_answer_of_millions_of_numbers_is_refused_before_it_takes_memory(output: Any) -> None:
    with pytest.raises(BadInputError, match="send fewer or smaller rows"):
        tensors.plain_rows(output, 2)


def test_the_longest_answer_that_fits_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MAX_ANSWERED", 6)
    half = np.zeros((2, 3))
    assert tensors.plain_rows(half, 2) == half.tolist()
    with pytest.raises(BadInputError):
        tensors.plain_rows((half, np.zeros(2)), 2)
