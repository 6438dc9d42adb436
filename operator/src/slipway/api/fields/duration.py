"""Spans of time as users write them: ``90s``, ``5m``, ``1h30m``."""

import re
from typing import Annotated, Any

from pydantic import Field

from slipway.api.base import rules

_PATTERN = "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def duration(least: str, most: str) -> Any:
    """Return a string field for a span of time between two others."""
    fits = (
        f"self.matches('{_PATTERN}') && duration(self) >= duration('{least}') && "
        f"duration(self) <= duration('{most}')"
    )
    message = f"write a time from {least} to {most} in hours, minutes and seconds, such as 1m30s"
    return Field(min_length=2, max_length=16, json_schema_extra=rules((fits, message)))


Interval = Annotated[str, duration("1s", "24h")]
"""A span of time from a second to a day."""


def seconds_of(text: str) -> int:
    """Return how many seconds a span of time lasts; raises ValueError for a text that is none."""
    if not text or not re.fullmatch(_PATTERN, text):
        raise ValueError(f"This is no span of time such as 1m30s: {text!r}")
    return sum(int(count) * _SECONDS[unit] for count, unit in re.findall("([0-9]+)([hms])", text))
