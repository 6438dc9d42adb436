"""Numbers that may have a fraction, written as numbers or in quotes, without rounding."""

import math
from collections.abc import Callable
from typing import Any

from pydantic import BeforeValidator, WithJsonSchema


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
