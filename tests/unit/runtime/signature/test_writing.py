import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slipway_runtime as slipway
from slipway_handlers import signature
from slipway_runtime import model_signature
from slipway_runtime.model_signature import describe, inferring


def inputs(rows: Any) -> list[dict[str, Any]]:
    """Return the inputs as the file tells them, read back by the handlers' own parser."""
    made = describe(rows)
    signature.parse(json.dumps(made).encode())
    found: list[dict[str, Any]] = made["inputs"]
    return found


class Tensor:
    """A tensor of torch's, as far as it is looked at."""

    def __init__(self, dtype: str, *shape: int) -> None:
        self.dtype, self.shape = f"torch.{dtype}", shape


class Frame:
    """A data frame, as far as it is looked at: neither pandas nor polars is needed."""

    def __init__(self, **columns: Any) -> None:
        self.columns, self.values = list(columns), columns

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def to_dict(self) -> dict[str, Any]:
        raise AssertionError("a data frame is looked at column by column")


def test_an_array_or_a_tensor_is_one_input_with_any_number_of_rows() -> None:
    assert inputs(np.zeros((5, 3), np.float32)) == [
        {"name": "input", "dtype": "float32", "shape": [-1, 3]}
    ]
    assert inputs(Tensor("bfloat16", 8, 1, 28, 28))[0] == {
        "name": "input",
        "dtype": "bfloat16",
        "shape": [-1, 1, 28, 28],
    }


@pytest.mark.parametrize(
    "told",
    [
        {"inputs": {f"column {number}": [1.5] for number in range(4097)}},
        {"inputs": [[1.5]], "outputs": {str(number): [1] for number in range(4097)}},
        {"inputs": [[1.5]], "labels": [format(number, "x") for number in range(65_537)]},
        {"inputs": {"code": {"dtype": "int64", "categories": list(range(65_537))}}},
    ],
    ids=["inputs", "outputs", "labels", "categories"],
)
def test_what_the_handlers_would_not_read_is_refused_where_it_is_written(
    told: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"4096|65536"):
        describe(**told)


def test_the_longest_file_that_is_written_is_one_that_the_handlers_read(tmp_path: Path) -> None:
    def written(length: int) -> Path | None:
        more = {"note": "x" * length}
        return slipway.signature([[1.5]], preprocessing=more, folder=tmp_path)

    shortest = written(0)
    assert shortest is not None
    longest = signature.MAX_BYTES - shortest.stat().st_size
    assert written(longest) == shortest
    assert shortest.stat().st_size == signature.MAX_BYTES
    assert signature.load(tmp_path).preprocessing["note"] == "x" * longest
    with pytest.raises(ValueError, match="longer than"):
        written(longest + 1)


@pytest.mark.parametrize(
    "more",
    [
        {"preprocessing": {1: 2, "1": 3}},
        {"sample": [{"a": {True: 1, "true": 2}}]},
        {"inputs": {"age": {"dtype": "float32", "missing": 0}}},
    ],
)
def test_what_the_handlers_would_take_for_another_thing_is_refused_where_it_is_written(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="The signature"):
        slipway.signature(**{"inputs": [[1.5]], "folder": tmp_path, **more})
    assert list(tmp_path.iterdir()) == []


def test_an_array_with_nan_may_miss_values() -> None:
    rows = np.array([[1.5], [np.nan]])
    told = {"name": "input", "dtype": "float64", "shape": [-1, 1], "missing": True}
    assert inputs(rows) == [told]


def test_columns_rows_and_a_data_frame_tell_the_same() -> None:
    columns = {"age": [31, 42, 53, 64], "colour": ["red", "blue", "red", "blue"]}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    frame = Frame(age=np.array(columns["age"]), colour=np.array(columns["colour"]))
    assert inputs(columns) == inputs(rows) == inputs(frame)
    assert inputs(rows) == [
        {"name": "age", "dtype": "int64", "shape": [-1]},
        {"name": "colour", "dtype": "string", "shape": [-1], "categories": ["blue", "red"]},
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1, 2], {"dtype": "int64"}),
        ([1, None], {"dtype": "float32", "missing": True}),
        ([1.5, float("nan")], {"dtype": "float32", "missing": True}),
        ([True, None], {"dtype": "float32", "missing": True}),
        ([True, False], {"dtype": "bool"}),
        (["a", "b"], {"dtype": "string"}),
        (["a", "a", None], {"dtype": "string", "categories": ["a"], "missing": True}),
        ([[1, 2], [3, 4]], {"dtype": "int64", "shape": [-1, 2]}),
        ([[1], [2, 3]], {"dtype": "int64", "shape": [-1, -1]}),
        ([[[1.0]], [[2.0], [3.0]]], {"dtype": "float32", "shape": [-1, -1, 1]}),
    ],
)
def test_a_columns_type_and_shape_follow_from_its_values(values: Any, told: Any) -> None:
    assert inputs({"x": values}) == [{"name": "x", "shape": [-1], **told}]


def test_labels_may_be_an_array_as_scikit_learn_has_them() -> None:
    told = describe([[1.5]], labels=np.array(["setosa", "virginica"]))["outputs"]
    assert told == [
        {"name": "output", "dtype": "float32", "shape": [-1, 2], "labels": ["setosa", "virginica"]}
    ]
    assert describe([[1.5]], labels=np.array([3, 4]))["outputs"][0]["labels"] == ["3", "4"]


def test_a_column_may_be_told_instead_of_shown() -> None:
    told = {"dtype": "string", "categories": ("x", "y"), "default": "y"}
    assert inputs({"a": told}) == [
        {"name": "a", "dtype": "string", "shape": [-1], "categories": ["x", "y"], "default": "y"}
    ]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ({}, "no columns"),
        ([], "no rows"),
        ("text", "no rows"),
        (7, "no rows"),
        ({"x": [None]}, "nothing but missing"),
        ({"x": [1, "a"]}, "other things than numbers"),
        ({"x": [[1], 2]}, "rows of one value and rows of several"),
        ({"": [1]}, "a column's name"),
        ({1: [1], "1": [2]}, "one name"),
        ({"x": {"dtype": "complex"}}, "give rows, or a dtype"),
        ({"x": {"dtype": "int64", "size": 1}}, "give rows, or a dtype"),
        ({"x": {"dtype": "int64", "shape": 3}}, "has no shape"),
        ({"x": {"dtype": "int64", "shape": [0]}}, "has no shape"),
        ({"x": {"dtype": "int64", "default": 1.5}}, "a default that is none"),
        ({"x": {"dtype": "string", "categories": []}}, "are none"),
        ({"x": {"dtype": "string", "categories": "abc"}}, "are no list"),
        ({"x": {"dtype": "string", "categories": ["a", 1]}}, "are none: give texts of a string"),
        ({"x": {"dtype": "float32", "categories": [1]}}, "are none: give texts of a string"),
        ({"x": {"dtype": "string", "labels": [["a"]]}}, "is no text"),
        ({("a", "b"): [1]}, "a column's name"),
        ({"x": {"dtype": "int64", "missing": True}}, "only floats and texts"),
        ({"x": {"dtype": "float32", "missing": 1}}, "only floats and texts"),
        (np.zeros(2, np.complex64), "no values of the type complex64"),
        (np.float32(1), "0 sides"),
    ],
)
def test_rows_of_which_nothing_can_be_told_are_refused(rows: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        describe(rows)


VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
COLUMN = st.lists(VALUE | st.lists(VALUE, max_size=2), max_size=4)
TOLD = st.fixed_dictionaries(
    {"dtype": st.sampled_from(inferring.DTYPES) | VALUE},
    optional=dict.fromkeys(sorted(inferring._TOLD - {"dtype"}), VALUE | COLUMN),
)


@given(
    st.dictionaries(st.text(max_size=3), COLUMN | TOLD, max_size=3)
    | st.lists(st.dictionaries(st.text(max_size=2), VALUE, max_size=2), max_size=3)
    | COLUMN
)
def test_whatever_is_written_is_what_the_handlers_read_and_the_rest_is_refused(rows: Any) -> None:
    try:
        text = json.dumps(describe(rows), allow_nan=False).encode()
    except ValueError:
        return
    assert signature.parse(text).inputs


def test_both_sides_know_the_same_types_and_bounds() -> None:
    assert inferring.DTYPES == signature.DTYPES
    assert (inferring.MAX_SIDES, inferring.MAX_TEXT) == (signature.MAX_SIDES, signature.MAX_TEXT)
    assert (model_signature.FILE_NAME, model_signature.MAX_BYTES) == (
        signature.FILE_NAME,
        signature.MAX_BYTES,
    )


def test_one_call_writes_the_file_beside_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_OUTPUT_DIR", str(tmp_path))
    monkeypatch.delenv("RANK", raising=False)
    rows = np.zeros((2, 4), np.float32)
    path = slipway.signature(rows, sample=[[1, 2, 3, 4]], labels=["no", "yes"])
    assert path == tmp_path / "signature.json"
    told = signature.load(tmp_path)
    assert told.labels == {"0": "no", "1": "yes"}
    assert told.sample == signature.Sample("application/json", [[1, 2, 3, 4]])
    assert [each.shape for each in (*told.inputs, *told.outputs)] == [(-1, 4), (-1, 2)]


@pytest.mark.parametrize("variables", [{"RANK": "1"}, {"SLIPWAY_OUTPUT_DIR": ""}])
def test_other_ranks_write_nothing_nor_does_a_script_outside_slipway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in {"SLIPWAY_OUTPUT_DIR": str(tmp_path), "RANK": "0", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert slipway.signature([[1.0]]) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sample", [{"a": {1}}, float("nan")])
def test_a_sample_that_is_no_json_is_refused(tmp_path: Path, sample: Any) -> None:
    with pytest.raises(ValueError, match="JSON has no words for"):
        slipway.signature([[1.0]], sample=sample, folder=tmp_path)


def test_no_library_is_imported_for_it() -> None:
    code = (
        "import sys, slipway_runtime as slipway\n"
        "slipway.signature({'a': [1, 2]}, labels=['x'])\n"
        "assert not {'numpy', 'torch', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
