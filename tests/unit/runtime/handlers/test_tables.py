import contextlib
import csv
import io
import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers.requests import BadInputError
from slipway_handlers.settings import ClassSettings
from slipway_handlers.signature import SignatureError, Tensor
from slipway_handlers.tables import answers, columns, declared, features

AGE = Tensor("age", "float32", missing=True)
COLOUR = Tensor("colour", "string", categories=("blue", "red"), default="red")
MEMBER = Tensor("member", "bool", default=False)
VISITS = Tensor("visits", "int8")
ALL = (AGE, COLOUR, MEMBER, VISITS)

ROWS = [
    {"age": 31, "colour": "blue", "member": True, "visits": 3},
    {"colour": "red", "visits": -4},
]
READ = {
    "age": [31, None],
    "colour": ["blue", "red"],
    "member": [True, False],
    "visits": [3, -4],
}
COLUMNS = {"age": [31, None], "colour": ["blue", None], "member": [True, None], "visits": [3, -4]}
CSV = "age,colour,member,visits\r\n31,blue,TRUE,3\r\n,,,-4\r\n"


MARKED = "\ufeff" + CSV
"""As spreadsheets write it."""


@pytest.mark.parametrize("found", [ROWS, COLUMNS, CSV, MARKED, MARKED.encode(), json.dumps(ROWS)])
def test_rows_columns_and_csv_are_one_table(found: Any) -> None:
    table = columns.read(found, ALL)
    assert (table.values, table.rows, table.wrapped) == (READ, 2, False)


def test_instances_are_answered_by_predictions() -> None:
    table = columns.read({"instances": ROWS}, ALL)
    assert (table.values, table.wrapped) == (READ, True)


def test_a_column_may_be_called_instances_where_it_is_declared() -> None:
    table = columns.read([{"instances": 1.5}], [Tensor("instances", "float32")])
    assert table.values == {"instances": [1.5]}


def nested(depth: int) -> list[Any]:
    """Return a list in a list and so on: as deep as a parser takes is too deep to be shown."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def one(column: Tensor, value: Any) -> Any:
    """Return what is read of one value of a column."""
    return columns.read({column.name: [value]}, [column]).values[column.name][0]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        (AGE, "31", "age of row 0 is '31', and not a number of float32"),
        (AGE, True, "age of row 0 is True, and not a number"),
        (AGE, 1e39, "and not a number of float32"),
        (AGE, 10**400, "and not a number of float32"),
        (AGE, math.inf, "and not a number of float32"),
        (AGE, math.nan, "and not a number of float32"),
        (AGE, [1], "age of row 0 is a list, and not a number of float32"),
        (AGE, {"a": 1}, "age of row 0 is an object, and not a number of float32"),
        (COLOUR, nested(5000), "colour of row 0 is a list, and not one of blue, red"),
        (COLOUR, "green", "colour of row 0 is 'green', and not one of blue, red"),
        (COLOUR, ["red"], "and not one of blue, red"),
        (MEMBER, 1, "member of row 0 is 1, and not true or false"),
        (VISITS, 128, "visits of row 0 is 128, and not a whole number of int8"),
        (VISITS, 1.5, "and not a whole number of int8"),
        (VISITS, None, "visits of row 0 is missing"),
        (Tensor("note", "string"), 5, "note of row 0 is 5, and not a text"),
        (Tensor("grade", "int64", categories=(1, 2)), True, "and not one of 1, 2"),
        (Tensor("grade", "int64", categories=(1, 2)), 1.0, "and not one of 1, 2"),
    ],
)
def test_a_value_that_is_none_of_its_columns_is_refused_by_column_and_row(
    column: Tensor, value: Any, why: str
) -> None:
    with pytest.raises(BadInputError, match=why):
        one(column, value)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "send rows by name"),
        ([1], "send rows by name"),
        (5, "send rows by name"),
        (None, "send rows by name"),
        ({}, "send rows by name"),
        ({"age": 31}, "send rows by name"),
        ({"instances": []}, "send rows by name"),
        ([{"agee": 1}], "there is no column agee, but age, colour, member, visits"),
        ([{"a\nforged\x1b": 1}], r"there is no column a\\nforged\\x1b, but age"),
        ({"age": [1], "visits": [1, 2]}, "not of one length"),
        ({"visits": []}, "at least one row"),
        ("{", "it is no JSON"),
        ("age", "send rows by name"),
        ("age\n", "send rows by name"),
        ("visits,visits\n1,2\n", "names a column twice"),
        ("visits\n1,2\n", "row 0 has 2 values, and 1 columns"),
        ('visits\n"1', "it is no CSV"),
        ("visits\n1.5\n", "and not a whole number of int8"),
        ("visits\n1_0\n", "and not a whole number of int8"),
        ("visits\n\n", "send rows by name"),
        (b"\xff", "its text is not UTF-8"),
    ],
)
def test_what_is_no_table_is_the_clients_mistake(found: Any, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        columns.read(found, ALL)


@pytest.mark.parametrize(
    "found",
    [
        [{"age": 1}] + [{}] * columns.MAX_ROWS,
        {"instances": [{"age": 1}] + [{}] * columns.MAX_ROWS},
        {"age": [1] * (columns.MAX_ROWS + 1)},
        "age\n" + "1\n" * (columns.MAX_ROWS + 1),
    ],
    ids=["rows", "instances", "columns", "csv"],
)
def test_a_small_body_of_very_many_rows_is_refused(found: Any) -> None:
    with pytest.raises(BadInputError, match="more than 100000 rows: send them in several"):
        columns.read(found, [AGE])


def test_as_many_rows_as_there_may_be_are_read() -> None:
    assert columns.read("age\n" + "1\n" * columns.MAX_ROWS, [AGE]).rows == columns.MAX_ROWS


@pytest.mark.parametrize("found", [[{"0": 1}] * 50_000, {"0": [1] * 50_000}])
def test_rows_that_say_little_of_very_many_columns_are_refused(found: Any) -> None:
    wide = [Tensor(str(number), "float32", missing=True) for number in range(400)]
    with pytest.raises(BadInputError, match="its 50000 rows have more than 16777216 values"):
        columns.read(found, wide)


def test_a_name_of_its_own_in_each_row_takes_no_place_in_all_the_others() -> None:
    rows = [{f"x{number}": 1} for number in range(3_000)]
    tracemalloc.start()
    try:
        with pytest.raises(BadInputError, match="there is no column x0, but age"):
            columns.read(rows, ALL)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_rows_of_which_very_many_features_would_be_made_are_refused() -> None:
    column = Tensor("place", "int64", categories=tuple(range(1_000)))
    table = columns.read({"place": [1] * 20_000}, [column])
    assert features.checked(columns.read({"place": [1]}, [column]), [column]).rows == 1
    with pytest.raises(BadInputError, match="its 20000 rows have more than 16777216 features"):
        features.checked(table, [column])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)
NAMED = st.dictionaries(st.sampled_from(["age", "colour", "member", "visits", "x"]), JSON)


@given(JSON | st.lists(NAMED, max_size=3) | NAMED | st.text(max_size=30) | st.binary(max_size=30))
def test_any_body_becomes_a_table_of_the_declared_types_or_the_clients_mistake(found: Any) -> None:
    try:
        table = columns.read(found, ALL)
    except BadInputError:
        return
    assert {name: len(values) for name, values in table.values.items()} == {
        column.name: table.rows for column in ALL
    }
    assert np.isfinite(features.of(table, ALL)[:, 1:]).all()
    for age in table.values["age"]:
        assert age is None or abs(float(age)) <= np.finfo(np.float32).max


ROW = st.fixed_dictionaries(
    {
        "age": st.none() | st.floats(-1e6, 1e6, width=32),
        "colour": st.sampled_from(["blue", "red"]),
        "member": st.booleans(),
        "visits": st.integers(-128, 127),
    }
)


@given(st.lists(ROW, min_size=1, max_size=5))
def test_rows_are_the_same_in_every_form(rows: list[dict[str, Any]]) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["visits", "colour", "age", "member"])
    writer.writeheader()
    writer.writerows(rows)
    by_column = {name: [row[name] for row in rows] for name in rows[0]}
    expected = columns.read(rows, ALL).values
    for form in (by_column, stream.getvalue(), json.dumps(rows).encode()):
        assert columns.read(form, ALL).values == expected


@given(st.text(max_size=40))
def test_any_text_is_a_cell_or_the_clients_mistake(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([["note", "age"], [text, "1"]])
    note = Tensor("note", "string", missing=True)
    with contextlib.suppress(BadInputError):
        found = columns.read(stream.getvalue(), [note, AGE]).values["note"]
        assert found == [text or None]


def test_features_follow_the_signatures_columns_with_one_for_each_category() -> None:
    found = features.of(columns.read(ROWS, ALL), ALL)
    assert found.dtype == np.float32
    assert found[0].tolist() == [31, 1, 0, 1, 3]
    assert found[1, 1:].tolist() == [0, 1, 0, -4]
    assert math.isnan(found[1, 0])


def test_a_number_that_no_feature_can_hold_is_the_clients_mistake() -> None:
    wide = Tensor("x", "float64")
    assert columns.read({"x": [1e300]}, [wide]).values == {"x": [1e300]}
    with pytest.raises(BadInputError, match="not a number of float32"):
        columns.read({"x": [1e300]}, features.narrowed([wide]))


def test_a_category_that_is_missing_is_none_of_them() -> None:
    column = Tensor("colour", "string", categories=("blue", "red"), missing=True)
    table = columns.read({"colour": [None, "red"]}, [column])
    assert features.of(table, [column]).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ([], "names no columns"),
        ([Tensor("x", "float32", (-1, 3))], r"input x has the shape \[-1, 3\]"),
        ([Tensor("x", "string")], "input x needs categories"),
    ],
)
def test_a_signature_of_which_no_features_can_be_made_is_refused(inputs: Any, why: str) -> None:
    with pytest.raises(SignatureError, match=why):
        declared.check_features(inputs)


def test_each_request_gets_the_answers_to_its_own_rows() -> None:
    batch = [columns.read(ROWS, ALL), columns.read({"instances": ROWS[:1]}, ALL)]
    assert answers.each(batch, lambda _: [1, 2, 3]) == [[1, 2], {"predictions": [3]}]


class Output:
    """A model's output, as far as it is looked at of torch's tensor."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def float(self) -> "Output":
        return self

    def cpu(self) -> "Output":
        return self

    def numpy(self) -> Any:
        return self.values

    def tolist(self) -> Any:
        return self.values.tolist()


def test_classes_with_names_are_told_with_scores_and_other_outputs_as_they_are() -> None:
    output = Output([[0.0, math.log(3)]])
    (told,) = answers.of_model(output, 1, {"0": "no", "1": "yes"}, ClassSettings())
    assert told["label"] == "yes"
    assert told["scores"] == pytest.approx({"yes": 0.75, "no": 0.25})
    assert answers.of_model(Output([[1.5], [2.5]]), 2, None, ClassSettings()) == [[1.5], [2.5]]
