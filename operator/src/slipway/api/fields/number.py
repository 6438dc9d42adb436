"""Numbers that may have a fraction, written as numbers or in quotes, and what they must be."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from slipway.api.base import text

_NUMBER = "-?[0-9]+([.][0-9]+)?"
_COMPARISON = f"result *(<|<=|>|>=|==|!=) *{_NUMBER}"
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


def as_number(value: object) -> float:
    """Return a number, which may be in quotes; NaN for anything else, as the schema lets it by."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def number_or_text(**bounds: Any) -> WithJsonSchema:
    """Return the schema of a number that may be in quotes.

    A structural schema has no type for both, so that the field has none, and no CEL rule sees it.
    """
    bounds = {"x-kubernetes-preserve-unknown-fields": True, "minimum": 0, **bounds}
    return WithJsonSchema(bounds)


def check(holds: Callable[[float], bool], message: str) -> BeforeValidator:
    """Return the check of such a field; it stays as it was written. ``message`` says what to write.

    ``holds`` is false of NaN.
    """

    def checked(value: object) -> object:
        if not holds(as_number(value)):
            raise ValueError(message)
        return value

    return BeforeValidator(checked)


SuccessCondition = Annotated[
    str,
    text(
        f"^{_COMPARISON}( *&& *{_COMPARISON})*$",
        "write comparisons of result with numbers, such as result >= 0.99, joined by &&",
        longest=256,
    ),
]
"""Comparisons of a measured value with numbers."""


Ratio = Annotated[
    int | float | str,
    check(lambda value: 0 <= value < math.inf, "write a number such as 1.5"),
    number_or_text(maxLength=16, pattern="^[0-9]+([.][0-9]+)?$"),
]
"""A ratio, such as 2 or 1.5, as a number or in quotes."""


@dataclass(frozen=True)
class Comparison:
    """One comparison of a success condition; ``sign`` is ``<``, ``<=``, ``>``, ``>=`` or so."""

    sign: str
    number: float

    def holds(self, result: float) -> bool:
        """Tell whether it holds of a value; of NaN only ``!=`` does."""
        return _OPERATORS[self.sign](result, self.number)


def comparisons(condition: str) -> tuple[Comparison, ...]:
    """Return what a `SuccessCondition` is made of."""
    pairs = re.findall(r"result *(<=|>=|==|!=|<|>) *(-?[0-9.]+)", condition)
    return tuple(Comparison(sign, float(number)) for sign, number in pairs)


def holds(condition: str, result: float) -> bool:
    """Tell whether all comparisons of a success condition hold of a value."""
    return all(comparison.holds(result) for comparison in comparisons(condition))
