"""Reading what a script, a manifest or a request says: bounded, and each value of its own type.

What is read here was written by somebody who may mean harm. Whatever is wrong with it raises
ValueError with a sentence that names the field, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def loads(data: bytes, most: int, most_values: int | None = None) -> Any:
    """Return the value of a JSON text of at most ``most`` bytes.

    A value of three bytes may take two hundred of memory. So of a long text the brackets and
    commas are counted before, those in its strings included: ``most_values`` bounds them.
    """
    if len(data) > most:
        raise ValueError(f"it is longer than {most} bytes")
    if most_values is not None and sum(map(data.count, (b"{", b"[", b","))) > most_values:
        raise ValueError(f"it has more than {most_values} values")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class Fields:
    """The fields of a JSON object."""

    def __init__(self, value: Any, what: str = "it") -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{what} is no object")
        self._value: Mapping[str, Any] = value
        self._what = what

    def has(self, name: str) -> bool:
        """Tell whether there is a field of a name."""
        return name in self._value

    def integer(self, name: str, least: int, most: int) -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self._value.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return value

    def number(self, name: str, most: float = 1e15) -> float:
        """Return a number from 0 to ``most``."""
        value = self._value.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most:
            return float(value)
        raise self._wrong(name, f"a number from 0 to {most:g}")

    def truth(self, name: str) -> bool:
        """Return true or false."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def text(self, name: str, most: int) -> str:
        """Return a text of 1 to ``most`` characters."""
        value = self._value.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise self._wrong(name, f"a text of 1 to {most} characters")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of some texts."""
        value = self._value.get(name)
        if not isinstance(value, str) or value not in choices:
            raise self._wrong(name, f"one of {', '.join(choices)}")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object; an empty one where there is none."""
        value = self._value.get(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return value

    def items(self, name: str, most: int) -> list[Any]:
        """Return a list of at most ``most`` values."""
        value = self._value.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of {most} at most")
        return value

    def _wrong(self, name: str, right: str) -> ValueError:
        return ValueError(f"{name} of {self._what} is not {right}")
