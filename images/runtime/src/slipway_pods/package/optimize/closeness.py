"""How near a form's answers are to the float model's. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Output = Sequence[npt.NDArray[Any]]
"""What a model answers to one request: an array for each of its outputs."""


def difference(told: Sequence[Output], expected: Sequence[Output]) -> float:
    """Return the greatest distance, as a share of the greatest magnitude that is expected.

    Each output has a scale of its own. Raises ValueError for answers of other shapes, or with what
    is no finite number where the float model's is one.
    """
    _check(told, expected)
    shares = [
        _share([one[at] for one in told], [one[at] for one in expected])
        for at in range(len(expected[0]))
    ]
    return max(shares, default=0.0)


def _share(told: Output, expected: Output) -> float:
    pairs = [
        (np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in _both(told, expected)
    ]
    kept = [(a[np.isfinite(b)], b[np.isfinite(b)]) for a, b in pairs]
    if not all(np.isfinite(a).all() for a, _ in kept):
        raise ValueError("it answers what is no finite number")
    distance = max((float(np.abs(a - b).max()) for a, b in kept if b.size), default=0.0)
    scale = max((float(np.abs(b).max()) for _, b in kept if b.size), default=0.0)
    return distance / scale if scale else (0.0 if not distance else 1e15)


def agreement(told: Sequence[Output], expected: Sequence[Output]) -> float:
    """Return the share of answers whose best class is the same: scores are along the last side.

    An answer with several positions, such as a text's tokens, counts once for each.
    """
    _check(told, expected)
    same = [
        np.argmax(one[0], axis=-1) == np.argmax(other[0], axis=-1)
        for one, other in _both(told, expected)
    ]
    votes = np.concatenate([np.asarray(each).reshape(-1) for each in same])
    return float(votes.mean()) if votes.size else 1.0


def _both(told: Sequence[Any], expected: Sequence[Any]) -> Any:
    return zip(told, expected, strict=True)


def _check(told: Sequence[Output], expected: Sequence[Output]) -> None:
    shapes = [[each.shape for each in one] for one in told]
    if shapes != [[each.shape for each in one] for one in expected]:
        raise ValueError("its answers have other shapes than the float model's")
