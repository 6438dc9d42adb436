"""Answers to tables: one for each row, in a list or in ``{"predictions": ...}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slipway_handlers import classes, tensors, texts
from slipway_handlers.settings import ClassSettings
from slipway_handlers.tables.columns import Table


def each(batch: list[Table], model: Callable[[list[Table]], list[Any]]) -> list[Any]:
    """Return the answer to each request; ``model`` answers the rows of all tables at once."""
    left = iter(model(batch))
    found = [[next(left) for _ in range(table.rows)] for table in batch]
    return [
        {"predictions": rows} if table.wrapped else rows
        for table, rows in zip(batch, found, strict=True)
    ]


def of_model(
    output: Any, count: int, labels: Mapping[str, str] | None, settings: ClassSettings
) -> list[Any]:
    """Return what a model answers to rows: labels and scores where classes have names.

    Raises ValueError for an output of another shape.
    """
    if labels is None:
        return tensors.plain_rows(output, count)
    scores = output.float().cpu().numpy()
    return [texts.labelled(row) for row in classes.best(scores, count, labels, settings)]


def of_classes(scores: Any, names: Sequence[Any], settings: ClassSettings) -> list[Any]:
    """Return labels and scores of an estimator's probabilities, of shape (rows, classes)."""
    labels = {str(number): str(name) for number, name in enumerate(names)}
    told = ClassSettings(settings.top, "none")
    return [texts.labelled(row) for row in classes.best(scores, len(scores), labels, told)]
