"""Whether one answer is another one: what is exact, and by how much a float may differ. Pure."""

import json
import math
from collections.abc import Iterable
from typing import Any

TOLERANCE = 1e-4
"""By how much a float may differ by default, as a share of the scale that it stands in."""
MAX_DEPTH = 64
"""Most lists and objects within each other of an answer that is compared as JSON."""
_SHOWN, _SHOWN_PATH, _SHOWN_KEY = 120, 200, 40
"""How many characters are told of a value, of a path, and of a key in it."""


def value_of(body: bytes) -> Any:
    """Return an answer as JSON; the bytes themselves where they are none, or nested deeply."""
    try:
        value = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return body
    return value if is_within(value, MAX_DEPTH) else body


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_within(value: Any, depth: int) -> bool:
    """Tell whether a JSON value has at most ``depth`` lists and objects within each other."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(is_within(one, depth - 1) for one in inner)


def difference(told: Any, expected: Any, tolerance: float = TOLERANCE) -> str:
    """Return the first place where two answers differ, in words; empty where they are equal.

    An answer is a JSON value or bytes. A float is equal where it differs by at most ``tolerance``
    times the scale: its own expected magnitude, or the greatest in the list that it stands in, as
    what is small beside its neighbours is the rounding of their sums. Whole numbers, truth values,
    texts, keys and lengths are the same or they are not.
    """
    return _difference(told, expected, tolerance, "", 0.0)


def _difference(told: Any, expected: Any, tolerance: float, path: str, scale: float) -> str:
    if isinstance(expected, float) and _is_number(told):
        near = _is_near(told, expected, tolerance * max(scale, abs(expected)))
        return "" if near else _words(path, told, expected)
    if isinstance(expected, dict) and isinstance(told, dict) and told.keys() == expected.keys():
        pairs = ((told[key], expected[key], f"{path}.{_cut(key)}", 0.0) for key in expected)
        return _first(pairs, tolerance)
    if isinstance(expected, list) and isinstance(told, list) and len(told) == len(expected):
        widest = _scale(expected)
        both = enumerate(zip(told, expected, strict=True))
        pairs = ((one, other, f"{path}[{index}]", widest) for index, (one, other) in both)
        return _first(pairs, tolerance)
    same = type(told) is type(expected) and told == expected
    return "" if same else _words(path, told, expected)


def _first(pairs: Iterable[tuple[Any, Any, str, float]], tolerance: float) -> str:
    differing = (
        _difference(one, other, tolerance, path, scale) for one, other, path, scale in pairs
    )
    return next((words for words in differing if words), "")


def _is_near(told: float, expected: float, most: float) -> bool:
    """Tell whether two numbers are near; an integer beyond all floats is near itself alone."""
    try:
        distance = abs(told - expected)
    except OverflowError:
        return False
    if math.isfinite(distance):
        return distance <= most
    return told == expected or (math.isnan(told) and math.isnan(expected))


def _scale(values: list[Any]) -> float:
    known = (abs(value) for value in values if isinstance(value, float) and math.isfinite(value))
    return max(known, default=0.0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(path: str, told: Any, expected: Any) -> str:
    where = f"at {path[:_SHOWN_PATH]} " if path else ""
    return f"{where}it is {_shown(told)} instead of {_shown(expected)}"


def _cut(key: str) -> str:
    """Return a key without what a terminal would obey."""
    return json.dumps(key[:_SHOWN_KEY])[1:-1]


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}..."
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
