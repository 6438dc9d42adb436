"""Tables as a model of torch's takes them: a row of float32 for each row.

The columns follow each other as the signature has them. A number is one feature, true and false
are 1 and 0, and a column with categories has a feature for each of them: 1 for the value's own. Of
a value that is missing all are 0, or of a number NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway_handlers.requests import BadInputError
from slipway_handlers.signature import Tensor
from slipway_handlers.tables.columns import Table

Features = npt.NDArray[np.float32]
MAX_FEATURES = 1 << 24
"""Most features of a request's rows together, of four bytes each."""


def narrowed(declared: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return columns whose numbers fit into features."""
    return tuple(
        replace(column, dtype="float32") if column.dtype == "float64" else column
        for column in declared
    )


def checked(table: Table, declared: Sequence[Tensor]) -> Table:
    """Return a table whose features a server has room for; raises BadInputError for another."""
    width = sum(1 if each.categories is None else len(each.categories) for each in declared)
    if table.rows * width > MAX_FEATURES:
        raise BadInputError(
            f"its {table.rows} rows have more than {MAX_FEATURES} features: send them in several "
            "requests"
        )
    return table


def of(table: Table, declared: Sequence[Tensor]) -> Features:
    """Return a table's rows as features, of shape (rows, features); its columns are `narrowed`."""
    made = [_of(table.values[column.name], column) for column in declared]
    return np.ascontiguousarray(np.concatenate(made, axis=1))


def _of(values: Sequence[Any], column: Tensor) -> Features:
    if column.categories is not None:
        places = {value: place for place, value in enumerate(column.categories)}
        made = np.zeros((len(values), len(places)), np.float32)
        for row, value in enumerate(values):
            if value is not None:
                made[row, places[value]] = 1
        return made
    known = [np.nan if value is None else float(value) for value in values]
    return np.array(known, np.float32).reshape(-1, 1)
