"""Rows of several inputs, by the names and shapes that a signature declares.

A body is a list with an object for each row, ``[{"left": [1, 2], "right": 3}]``; or
``{"instances": ROWS}``, which is answered by ``{"predictions": ...}``; or ``{"inputs": {"left":
[[1, 2]], "right": [3]}}`` with all rows of each input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipway_handlers import tensors
from slipway_handlers.requests import BadInputError, as_json
from slipway_handlers.settings import TensorSettings
from slipway_handlers.signature import Tensor

INSTANCES, INPUTS = "instances", "inputs"
HOW = 'send rows by name as JSON: [{"input": [1, 2]}], {"instances": [...]}, {"inputs": {...}}'


@dataclass(frozen=True)
class Named:
    """The rows of one request: an array for each input, in the signature's order."""

    values: tuple[tensors.Array, ...]
    rows: int
    wrapped: bool = False

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one row of each input."""
        return tuple(each.shape[1:] for each in self.values)


def settings(declared: Sequence[Tensor]) -> dict[str, TensorSettings]:
    """Return what the rows of each input are; raises SignatureError for what are no numbers."""
    return {each.name: TensorSettings.read({}, each) for each in declared}


def read(found: Any, inputs: Mapping[str, TensorSettings]) -> Named:
    """Return the rows of a body; raises BadInputError, which names the input."""
    content = as_json(found)
    wrapped = isinstance(content, dict) and isinstance(content.get(INSTANCES), list)
    if isinstance(content, dict) and isinstance(content.get(INPUTS), dict):
        given = content[INPUTS]
    else:
        given = _by_name(content[INSTANCES] if wrapped else content)
    if set(given) != set(inputs):
        names = ", ".join(inputs)
        raise BadInputError(f"its rows have {_shown(given)}, and the model takes {names:.500}")
    values = tuple(_rows(name, given[name], told) for name, told in inputs.items())
    if len({len(each) for each in values}) != 1:
        raise BadInputError("its inputs have different numbers of rows")
    return Named(values, len(values[0]), wrapped)


def _shown(given: Mapping[str, Any]) -> str:
    return ", ".join(ascii(name)[:60] for name in list(given)[:8]) or "no inputs"


def _by_name(rows: Any) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise BadInputError(HOW)
    for number, row in enumerate(rows):
        if set(row) != set(rows[0]):
            raise BadInputError(f"row {number} has other inputs than the first")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _rows(name: str, column: Any, told: TensorSettings) -> tensors.Array:
    if not isinstance(column, list):
        raise BadInputError(f"{name}: it is no list of rows")
    try:
        return tensors.read(column, told).values
    except BadInputError as error:
        raise BadInputError(f"{name}: {error}") from error


def predict(batch: Sequence[Named], model: Callable[[list[tensors.Array]], list[Any]]) -> list[Any]:
    """Return the answer to each request; rows of the same shapes are computed together.

    ``model`` gets an array of each input, and returns an entry for each row in JSON's own types.
    """
    answers: list[Any] = [None] * len(batch)
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for place, rows in enumerate(batch):
        groups.setdefault(rows.shapes, []).append(place)
    for places in groups.values():
        arrays = zip(*(batch[place].values for place in places), strict=True)
        left = iter(model([np.concatenate(each) for each in arrays]))
        for place in places:
            found = [next(left) for _ in range(batch[place].rows)]
            answers[place] = {"predictions": found} if batch[place].wrapped else found
    return answers


def named_outputs(output: Any, declared: Sequence[Tensor]) -> Any:
    """Return a model's several outputs by the names that the signature gives them."""
    if isinstance(output, tuple | list) and len(output) == len(declared) > 1:
        return dict(zip((each.name for each in declared), output, strict=True))
    return output
