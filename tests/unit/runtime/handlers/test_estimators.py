import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slipway_handlers.formats.code import ALLOWED
from slipway_handlers.settings import ClassSettings, TensorSettings
from slipway_handlers.signature import SignatureError, Tensor
from slipway_handlers.tables import columns, declared, estimators

NUMBERS = (Tensor("a", "float32"), Tensor("b", "int64"))
TEXTS = (Tensor("a", "float32", missing=True), Tensor("c", "string", missing=True))


class Larger:
    """A classifier of scikit-learn's kind: is the first column larger than the second?"""

    classes_ = np.array(["no", "yes"])

    def predict_proba(self, rows: Any) -> Any:
        larger = (rows[:, 0] > rows[:, 1]).astype(float)
        return np.stack([1 - larger, larger], axis=1)

    def predict(self, rows: Any) -> Any:
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


class Sums:
    """A regressor of that kind."""

    def predict(self, rows: Any) -> Any:
        return rows.sum(axis=1)


def kept(folder: Path, value: Any) -> Path:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(value))
    return path


def test_a_pickle_is_loaded_only_where_the_deployment_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept(tmp_path, Sums())
    for value in (None, "1", "false"):
        if value is not None:
            monkeypatch.setenv(ALLOWED, value)
        with pytest.raises(RuntimeError, match="have SLIPWAY_ALLOW_PICKLED_MODELS=true in"):
            estimators.load(path)
    monkeypatch.setenv(ALLOWED, "true")
    assert isinstance(estimators.load(path), Sums)


def test_a_file_that_holds_no_estimator_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, "true")
    with pytest.raises(RuntimeError, match=r"model.pkl holds no estimator"):
        estimators.load(kept(tmp_path, [1, 2]))


def test_a_classifier_is_answered_by_labels_and_scores_and_a_regressor_by_numbers() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 0.5]])
    settings = ClassSettings(top=2)
    told = estimators.predict(Larger(), rows, settings)
    assert [each["label"] for each in told] == ["no", "yes"]
    assert told[0] == {"label": "no", "score": 1.0, "scores": {"no": 1.0, "yes": 0.0}}
    assert estimators.predict(Sums(), rows, settings) == [3.0, 3.5]


def test_classes_that_are_numbers_have_the_signatures_labels() -> None:
    class Numbered(Larger):
        classes_ = np.array([0, 7])

    rows = np.array([[1.0, 2.0], [3.0, 0.5]])
    told = estimators.predict(Numbered(), rows, ClassSettings(), {"0": "no", "1": "unused"})
    assert [each["label"] for each in told] == ["no", "7"]


def test_an_estimator_that_does_not_answer_each_row_is_told_so() -> None:
    class Short(Sums):
        def predict(self, rows: Any) -> Any:
            return rows[:1, 0]

    with pytest.raises(ValueError, match="does not answer each of 2 rows"):
        estimators.predict(Short(), np.ones((2, 2)), ClassSettings())


def test_tables_of_numbers_are_numbers_and_those_with_texts_objects() -> None:
    table = columns.read({"a": [1.5, 2], "b": [3, 4]}, NUMBERS)
    rows = estimators.as_rows([table, table], NUMBERS, Sums())
    assert rows.dtype == np.float64
    assert rows.tolist() == [[1.5, 3], [2, 4], [1.5, 3], [2, 4]]
    table = columns.read({"a": [None], "c": ["x"]}, TEXTS)
    rows = estimators.as_rows([table], TEXTS, Sums())
    assert rows.dtype == object
    assert np.isnan(rows[0, 0])
    assert rows[0, 1] == "x"


@pytest.mark.parametrize(
    ("inputs", "is_table"),
    [
        ([], False),
        ([Tensor("input", "float32", (-1, 4))], False),
        ([Tensor("age", "float32")], True),
        ([*NUMBERS], True),
    ],
)
def test_rows_have_names_where_the_signature_has_columns(inputs: Any, is_table: bool) -> None:
    declared.check_rows(inputs)
    assert declared.is_table(inputs) == is_table


def test_rows_without_names_are_those_of_the_signature_or_any() -> None:
    assert declared.numbers([]) == TensorSettings("float64")
    told = declared.numbers([Tensor("input", "float32", (-1, 4))])
    assert told == TensorSettings("float32", (4,))


def test_several_inputs_of_which_one_is_no_column_are_refused() -> None:
    with pytest.raises(SignatureError, match=r"input x has the shape \[-1, 2\]"):
        declared.check_rows([Tensor("x", "float32", (-1, 2)), Tensor("y", "float32")])
