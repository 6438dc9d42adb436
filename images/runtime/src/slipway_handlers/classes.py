"""Classes by name, of what a model answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway_handlers.settings import ClassSettings

Scores = npt.NDArray[np.float64]


def best(
    output: npt.ArrayLike, count: int, labels: Mapping[str, str] | None, settings: ClassSettings
) -> list[dict[str, float]]:
    """Return the names and scores of each row's best classes, the best first.

    ``output`` is what a model answers to ``count`` inputs, of shape (count, classes). ``labels``
    has the names by number, as TorchServe reads index_to_name.json; a class that it lacks has its
    number for a name, and of two with one name the better is told. Raises ValueError for an output
    of another shape.
    """
    rows = np.asarray(output, np.float64)
    if rows.ndim != 2 or len(rows) != count:
        raise ValueError(
            f"The model's output has the shape {list(rows.shape)}, and not [{count}, classes]."
        )
    return [_best(row, labels or {}, settings.top) for row in scores(rows, settings.activation)]


def scores(rows: Scores, activation: str) -> Scores:
    """Return a model's outputs of shape (n, classes) as scores, by the activation's name."""
    if activation == "softmax":
        powers = np.exp(rows - rows.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    if activation == "sigmoid":
        return np.asarray(0.5 * (1 + np.tanh(0.5 * rows)))
    return rows


def _best(row: Scores, labels: Mapping[str, Any], top: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for number in np.argsort(-row, kind="stable")[:top]:
        found.setdefault(str(labels.get(str(number), number)), float(row[number]))
    return found
