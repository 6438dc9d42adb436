"""The judgment of an archive's figures by ``package.gates``. Pure."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SIZE = "sizeBytes"
"""The metric that is the archive's own size, whatever a script reports under this name."""
SUCCESSFUL, FAILED = "Successful", "Failed"

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Gate:
    """A metric, and the comparisons with numbers that must all hold of it."""

    metric: str
    comparisons: tuple[tuple[str, float], ...]

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Gate":
        """Return what is told of one; raises ValueError, KeyError or TypeError."""
        compared = ((sign, float(number)) for sign, number in told["comparisons"])
        return cls(told["metric"], tuple(compared))


@dataclass(frozen=True)
class Questions:
    """What the operator asks: the gates, and the figures of the training's last report."""

    gates: tuple[Gate, ...] = ()
    reported: Mapping[str, float] | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Questions":
        """Return what ``SLIPWAY_GATES`` says; raises ValueError, KeyError or TypeError."""
        gates = (Gate.read(each) for each in told["gates"])
        return cls(tuple(gates), {name: float(text) for name, text in told["reported"].items()})


@dataclass(frozen=True)
class Row:
    """A gate's verdict; ``value`` is None where nobody knows the figure."""

    metric: str
    verdict: str
    value: float | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The row as the termination message has it, by its place in the list of gates."""
        value = None if self.value is None else figure(self.value)
        return {"verdict": self.verdict, "value": value}


def figure(value: float) -> str:
    """Return a figure as decimal text: whole numbers with all digits, others with six."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def judge(questions: Questions, size_bytes: int) -> list[Row]:
    """Return each gate's row, in their order. A figure that is no finite number misses its gate."""
    known = {**(questions.reported or {}), SIZE: float(size_bytes)}
    return [_row(gate, known.get(gate.metric)) for gate in questions.gates]


def _row(gate: Gate, value: float | None) -> Row:
    if value is None or not math.isfinite(value):
        return Row(gate.metric, FAILED, value)
    holds = all(_SIGNS[sign](value, number) for sign, number in gate.comparisons)
    return Row(gate.metric, SUCCESSFUL if holds else FAILED, value)


def is_rejected(rows: Sequence[Row]) -> bool:
    """Tell whether one of the gates was missed."""
    return any(row.verdict == FAILED for row in rows)
