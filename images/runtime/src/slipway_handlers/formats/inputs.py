"""What a compiled program takes, which is compared before it is asked.

The program looks at no shape itself: of too short an input it would read whatever lies behind it
in memory, and answer with that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway_handlers.requests import BadInputError

MOST = 64
"""Most inputs, and most sides of one."""
Side = int | str
"""A side's length, or the name of one that may have several."""


@dataclass(frozen=True)
class Input:
    """A tensor's type, such as ``float32``, and its sides."""

    dtype: str
    shape: tuple[Side, ...]


@dataclass(frozen=True)
class Inputs:
    """All tensors in order, and the least and the most of each named side; None for no most."""

    each: tuple[Input, ...]
    sides: Mapping[str, tuple[int, int | None]]

    @classmethod
    def read(cls, text: Any) -> Inputs:
        """Return them as `slipway.export` has told them; raises ValueError."""
        try:
            told = json.loads(text)
            sides = {str(name): _bounds(*told["sides"][name]) for name in told["sides"]}
            each = tuple(_input(one["dtype"], one["shape"], sides) for one in told["inputs"])
        except (LookupError, TypeError, RecursionError) as error:
            raise ValueError("no inputs") from error
        if not 0 < len(each) <= MOST:
            raise ValueError("no inputs")
        return cls(each, sides)

    def check(self, given: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        """Raise BadInputError for tensors, by their types and shapes, that are others."""
        if len(given) != len(self.each):
            raise BadInputError(f"the model takes {len(self.each)} inputs, and not {len(given)}")
        lengths: dict[str, int] = {}
        for (dtype, shape), wanted in zip(given, self.each, strict=True):
            fits = len(shape) == len(wanted.shape) and all(
                self._fits(length, side, lengths)
                for length, side in zip(shape, wanted.shape, strict=True)
            )
            if dtype != wanted.dtype or not fits:
                raise BadInputError(
                    f"the model takes {wanted.dtype} of the shape {self._told(wanted.shape)}, and "
                    f"not {dtype} of {list(shape)}"
                )

    def _fits(self, length: int, side: Side, lengths: dict[str, int]) -> bool:
        if isinstance(side, int):
            return length == side
        least, most = self.sides[side]
        same = lengths.setdefault(side, length)
        return length == same and least <= length and (most is None or length <= most)

    def _told(self, shape: Sequence[Side]) -> str:
        return f"[{', '.join(self._side(side) for side in shape)}]"

    def _side(self, side: Side) -> str:
        if isinstance(side, int):
            return str(side)
        least, most = self.sides[side]
        return f"{least} or more" if most is None else f"{least} to {most}"


def _bounds(least: Any, most: Any) -> tuple[int, int | None]:
    if type(least) is not int or not (most is None or type(most) is int):
        raise ValueError("no bounds")
    return least, most


def _input(dtype: Any, shape: Any, sides: Mapping[str, Any]) -> Input:
    are_sides = isinstance(shape, list) and all(type(one) is int or one in sides for one in shape)
    if not isinstance(dtype, str) or not are_sides or len(shape) > MOST:
        raise ValueError("no input")
    return Input(dtype, tuple(shape))


class Checked:
    """A compiled model that is asked only what it takes."""

    def __init__(self, model: Any, inputs: Inputs) -> None:
        self._model, self._inputs = model, inputs

    def __call__(self, *given: Any) -> Any:
        """Return the model's answer; raises BadInputError for other inputs than it takes."""
        told = [(str(one.dtype).removeprefix("torch."), tuple(one.shape)) for one in given]
        self._inputs.check(told)
        return self._model(*(one.contiguous() for one in given))
