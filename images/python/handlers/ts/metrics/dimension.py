"""A label of a metric."""

from dataclasses import dataclass


@dataclass
class Dimension:
    """A label: its name and its value."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}:{self.value}"
