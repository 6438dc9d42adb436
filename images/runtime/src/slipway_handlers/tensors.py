"""Rows of numbers in JSON, as arrays and back.

A body is a list of rows, and so is its answer; or ``{"instances": ROWS}``, which is answered by
``{"predictions": ROWS}``, as KServe's first protocol has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway_handlers.requests import BadInputError, as_json
from slipway_handlers.settings import TensorSettings

INSTANCES = "instances"
MAX_ANSWERED = 1 << 22
"""Most numbers of an answer, which take 40 bytes of memory each before they are JSON. More of them
are longer than the longest answer of a server by default."""
_MOST_SIDES = 64
"""Most lists within each other: NumPy takes no more."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """The rows of one request, of shape (rows, *shape); ``wrapped`` in ``instances`` or not."""

    values: Array
    wrapped: bool


def read(found: Any, settings: TensorSettings) -> Rows:
    """Return the rows of a body; raises BadInputError."""
    content = as_json(found)
    wrapped = isinstance(content, dict) and INSTANCES in content
    rows = content[INSTANCES] if wrapped else content
    if not isinstance(rows, list) or not rows:
        raise BadInputError('send rows of numbers as JSON: [[1.5, 2]] or {"instances": [[1.5, 2]]}')
    if not _are_numbers(rows, _MOST_SIDES):
        raise BadInputError("its rows hold something else than numbers")
    try:
        given = np.array(rows)
    except ValueError as error:
        raise BadInputError("its rows are not all of one shape") from error
    if given.dtype.kind not in "iuf":  # whole numbers of more than 64 bits
        raise BadInputError("its rows hold something else than numbers")
    _check_shape(given.shape[1:], settings.shape)
    return Rows(_cast(given, settings.dtype), wrapped)


def _are_numbers(rows: list[Any], most: int) -> bool:
    """Tell whether lists, ``most`` within each other at most, hold numbers and nothing else.

    NumPy would tell it too, by an array that has room for the longest text in each of its places.
    """
    kinds = set(map(type, rows))
    if list not in kinds:
        return kinds <= {int, float}
    inner = (row for row in rows if isinstance(row, list))
    are_known = kinds <= {int, float, list} and most > 0
    return are_known and all(_are_numbers(row, most - 1) for row in inner)


def _check_shape(shape: tuple[int, ...], wanted: tuple[int, ...] | None) -> None:
    if wanted is None:
        return
    sides = zip(shape, wanted, strict=False)
    if len(shape) != len(wanted) or any(length not in (-1, side) for side, length in sides):
        raise BadInputError(f"a row has the shape {list(shape)} and not {list(wanted)}")


def _cast(given: Array, dtype: str) -> Array:
    whole = np.dtype(dtype).kind == "i"
    if whole and given.dtype.kind == "f":
        raise BadInputError("its rows hold fractions, and the model takes whole numbers")
    with np.errstate(all="ignore"):
        found = given.astype(dtype)
    fits = (found == given).all() if whole else np.isfinite(found).all()
    if not fits:
        raise BadInputError(f"its rows hold numbers that {dtype} cannot hold")
    return found


def predict(batch: Sequence[Rows], model: Callable[[Array], Any]) -> list[Any]:
    """Return the answer to each request; rows of one shape are computed together.

    ``model`` gets an array with a row for each, and returns as many in JSON's own types.
    """
    answers: list[Any] = [None] * len(batch)
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, rows in enumerate(batch):
        groups.setdefault(rows.values.shape[1:], []).append(place)
    for places in groups.values():
        left = iter(model(np.concatenate([batch[place].values for place in places])))
        for place in places:
            found = [next(left) for _ in batch[place].values]
            answers[place] = {"predictions": found} if batch[place].wrapped else found
    return answers


def plain_rows(output: Any, count: int) -> list[Any]:
    """Return what a model answers to ``count`` rows, as JSON has it, one entry for each row.

    A dictionary of tensors gives one with each name for each row, and a tuple or a list gives a
    list. Raises ValueError for another number of rows, and BadInputError for an answer of more than
    ``MAX_ANSWERED`` numbers.
    """
    numbers = _count(output)
    if numbers > MAX_ANSWERED:
        raise BadInputError(
            f"the answer to rows of it has {numbers} numbers, and {MAX_ANSWERED} at most are sent: "
            "send fewer or smaller rows in a request"
        )
    return _plain(output, count)


def _count(output: Any) -> int:
    """Return how many numbers a model's output has."""
    if isinstance(output, dict | tuple | list):
        return sum(map(_count, output.values() if isinstance(output, dict) else output))
    return math.prod(output.shape)


def _plain(output: Any, count: int) -> list[Any]:
    if isinstance(output, dict):
        columns = [_plain(value, count) for value in output.values()]
        return [dict(zip(output, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(output, tuple | list):
        columns = [_plain(value, count) for value in output]
        return [list(row) for row in zip(*columns, strict=True)]
    found = output.tolist()
    if not isinstance(found, list) or len(found) != count:
        raise ValueError(
            f"The model's output has the shape {list(output.shape)}: its first side must be the "
            f"number of rows, {count}."
        )
    return found
