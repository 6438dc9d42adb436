"""Estimators of scikit-learn, as `joblib` or `pickle` keep them: loading one runs what it holds."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slipway_handlers.formats.code import check_allowed
from slipway_handlers.settings import ClassSettings
from slipway_handlers.signature import Tensor
from slipway_handlers.tables import answers
from slipway_handlers.tables.columns import Table

PICKLES = (".pkl", ".pickle")


def load(path: Path) -> Any:
    """Return the estimator of a file, where the deployment allows that.

    Raises RuntimeError where it does not, or for what is no estimator; ImportError without
    scikit-learn.
    """
    check_allowed(path)
    if path.suffix in PICKLES:
        with path.open("rb") as file:
            estimator = pickle.load(file)  # noqa: S301 - allowed by the deployment
    else:
        import joblib

        estimator = joblib.load(path)
    if not hasattr(estimator, "predict"):
        raise RuntimeError(f"{path.name} holds no estimator: it has no method predict.")
    return estimator


def predict(
    estimator: Any, rows: Any, settings: ClassSettings, labels: Mapping[str, str] | None = None
) -> list[Any]:
    """Return the answer to each row: of a classifier its labels and scores, else what it says.

    ``labels`` has names of classes that are numbers.
    """
    if hasattr(estimator, "predict_proba"):
        scores = estimator.predict_proba(rows)
        if isinstance(scores, np.ndarray) and scores.ndim == 2:
            names = [(labels or {}).get(str(each), each) for each in estimator.classes_]
            return answers.of_classes(scores, names, settings)
    found = np.asarray(estimator.predict(rows)).tolist()
    if not isinstance(found, list) or len(found) != len(rows):
        raise ValueError(f"The estimator does not answer each of {len(rows)} rows.")
    return found


def as_rows(batch: Sequence[Table], declared: Sequence[Tensor], estimator: Any) -> Any:
    """Return tables as an estimator takes them, of shape (rows, columns).

    One that was fitted with names gets a data frame of pandas, if pandas is there; others get
    numbers, or objects where a column has texts. What is missing is NaN.
    """
    is_named = hasattr(estimator, "feature_names_in_")
    made = {
        column.name: _column([one for table in batch for one in table.values[column.name]], column)
        for column in declared
    }
    if is_named:
        try:
            import pandas
        except ImportError:
            pass
        else:
            return pandas.DataFrame(made)
    has_texts = any(column.dtype == object for column in made.values())
    return np.stack(list(made.values()), axis=1).astype(object if has_texts else np.float64)


def _column(values: Sequence[Any], column: Tensor) -> Any:
    known = [np.nan if value is None else value for value in values]
    if column.dtype == "string":
        return np.array(known, dtype=object)
    is_whole = column.dtype.startswith(("int", "uint")) and None not in values
    return np.array(known, dtype=np.int64 if is_whole else np.float64)
