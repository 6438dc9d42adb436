"""Figures of a model that are found while it answers its rows: how fast it is, and how good.

They are written where the user's code runs, so that what is read is an enemy's.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway_runtime import strict

MAX_FIGURES = 32
"""Most figures of an evaluation."""
MAX_NAME = 64
"""Longest name of a figure, in characters."""
MAX_BYTES = 64 * 1024
"""Longest text with all of them."""
MAX_SECONDS = 86_400


@dataclass(frozen=True)
class Figures:
    """The median time of an answer in seconds, if it was measured, and what was evaluated."""

    latency: float | None = None
    evaluated: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, data: bytes) -> "Figures":
        """Return what a text says; raises ValueError."""
        fields = strict.Fields(strict.loads(data, MAX_BYTES))
        latency = fields.number("latencySeconds", MAX_SECONDS)
        return cls(latency, evaluated(fields.mapping("evaluated")))

    @property
    def told(self) -> bytes:
        """The text that says it."""
        told = {"latencySeconds": self.latency, "evaluated": dict(self.evaluated)}
        return json.dumps(told, allow_nan=False).encode()


def evaluated(told: Any) -> dict[str, float]:
    """Return the figures of an evaluation; raises ValueError for what are none."""
    if not isinstance(told, dict):
        raise ValueError("it is no object with a number for each name")
    if len(told) > MAX_FIGURES:
        raise ValueError(f"it has {len(told)} figures, and {MAX_FIGURES} are the most")
    return {_name(name): _figure(name, value) for name, value in told.items()}


def _name(name: Any) -> str:
    if isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable():
        return name
    shown = ascii(name)[:MAX_NAME]
    raise ValueError(f"{shown} is no name of 1 to {MAX_NAME} characters that can be printed")


def _figure(name: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            if math.isfinite(value):
                return float(value)
        except OverflowError:
            pass
    raise ValueError(f"{name[:MAX_NAME]} is no finite number")
