"""The judgment of an archive's figures by ``package.gates``. Pure."""

import contextlib
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from slipway_pods.package.gates.recorded import (
    EVALUATE,
    NOTHING_SERVED,
    PACKAGE,
    REPORT,
    Basis,
    RecordedFigures,
    Served,
)

SIZE, LATENCY = "sizeBytes", "latencySeconds"
"""Metrics of the archive itself, its size and the median time of an answer: whatever a script
reports, or an evaluation returns, under these names."""
DIGITS = (6, 9, 12, 15)
"""How many digits a figure's text has: the fewest with which it does not pass for a bound."""
SUCCESSFUL, FAILED = "Successful", "Failed"
CONDITION = "successCondition"

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_RATIOS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "maxRatioToServed": operator.le,
    "minRatioToServed": operator.ge,
}


@dataclass(frozen=True)
class Gate:
    """A metric, the comparisons with numbers that must all hold of it, and its ratios by field."""

    metric: str
    comparisons: tuple[tuple[str, float], ...]
    ratios: tuple[tuple[str, Fraction], ...] = ()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Gate":
        """Return what is told of one; raises ValueError, KeyError or TypeError."""
        compared = ((sign, float(number)) for sign, number in told["comparisons"])
        ratios = ((field, Fraction(text)) for field, text in told.get("ratios", {}).items())
        return cls(told["metric"], tuple(compared), tuple(ratios))


@dataclass(frozen=True)
class Questions:
    """What the operator asks: the gates, and the figures of the training's last report.

    ``served`` is the archive that figures are compared with; None where nothing is served.
    """

    gates: tuple[Gate, ...] = ()
    reported: Mapping[str, float] | None = None
    served: Served | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Questions":
        """Return what ``SLIPWAY_GATES`` says; raises ValueError, KeyError or TypeError."""
        gates = tuple(Gate.read(each) for each in told["gates"])
        reported = {name: float(text) for name, text in told["reported"].items()}
        served = told.get("served")
        return cls(gates, reported, None if served is None else Served.read(served))


def own(size_bytes: int, latency: float | None) -> dict[str, float]:
    """Return the figures of an archive itself; ``latency`` is in seconds, and None if unknown."""
    return {SIZE: float(size_bytes), **({} if latency is None else {LATENCY: latency})}


@dataclass(frozen=True)
class Row:
    """A gate's verdict; ``value`` and ``source`` are None where nobody knows the figure.

    ``served`` is the figure that it was compared with, or the reason why it was not; None where it
    was not to be. ``missed`` names the fields of the gate that do not hold. ``bounds`` are the
    numbers that it was compared with, which the text of the figure must not pass for.
    """

    metric: str
    verdict: str
    value: float | None = None
    source: str | None = None
    served: float | str | None = None
    missed: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """The row as the termination message has it, by its place in the list of gates."""
        value = None if self.value is None else figure(self.value, *self.bounds)
        told: dict[str, Any] = {"verdict": self.verdict, "value": value}
        if self.source is not None:
            told["source"] = self.source
        if isinstance(self.served, str):
            told["notCompared"] = self.served
        elif self.served is not None:
            told["servedValue"] = figure(self.served)
        return {**told, **({"missed": list(self.missed)} if self.missed else {})}


def figure(value: float, *bounds: float) -> str:
    """Return a figure as decimal text: whole numbers with all digits, others with six.

    It has as many digits more as it takes to be on the same side of each of the ``bounds`` as the
    figure: 0.89999999 is not told as 0.9 where 0.9 is the least.
    """
    if value.is_integer() and abs(value) < 1e15:
        return f"{value + 0.0:.0f}"  # never -0
    texts = (f"{value:.{digits}g}" for digits in DIGITS)
    sides = [_side(value, bound) for bound in bounds]
    told = (text for text in texts if [_side(float(text), each) for each in bounds] == sides)
    return next(told, repr(value))


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)


def judge(
    questions: Questions,
    own: Mapping[str, float],
    evaluated: Mapping[str, float] | None = None,
    recorded: RecordedFigures | None = None,
    basis: Basis | None = None,
) -> list[Row]:
    """Return each gate's row, in their order. A figure that is no finite number misses its gate.

    ``own`` are figures of the package itself, which go before those that were ``evaluated``, and
    these before the reported ones. ``recorded`` are the figures of the archive that is served, and
    ``basis`` is what those of the answers go by.
    """
    known: dict[str, tuple[float | None, str | None]] = {
        name: (value, source)
        for source, figures in (
            (REPORT, questions.reported or {}),
            (EVALUATE, evaluated or {}),
            (PACKAGE, own),
        )
        for name, value in figures.items()
    }
    other, by = recorded or RecordedFigures(NOTHING_SERVED), basis or Basis()
    unknown = (None, None)
    return [_row(gate, known.get(gate.metric, unknown), other, by) for gate in questions.gates]


def _row(
    gate: Gate, known: tuple[float | None, str | None], recorded: RecordedFigures, basis: Basis
) -> Row:
    value, source = known
    if value is None or source is None or not math.isfinite(value):
        return Row(gate.metric, FAILED, value, source)
    holds = all(_SIGNS[sign](value, number) for sign, number in gate.comparisons)
    missed = [] if holds else [CONDITION]
    served = _served(gate, source, recorded, basis)
    if served not in (None, NOTHING_SERVED):
        missed += [
            field for field, ratio in gate.ratios if not _within(field, value, ratio, served)
        ]
    verdict = FAILED if missed else SUCCESSFUL
    bounds = (*(number for _, number in gate.comparisons), *_limits(gate, served))
    return Row(gate.metric, verdict, value, source, served, tuple(missed), bounds)


def _limits(gate: Gate, served: float | str | None) -> Iterator[float]:
    """Yield what a figure may be at most or at least, by that of the served archive."""
    if isinstance(served, float):
        for _, ratio in gate.ratios:
            with contextlib.suppress(OverflowError):
                yield float(ratio * Fraction(repr(served)))


def _served(gate: Gate, source: str, recorded: RecordedFigures, basis: Basis) -> float | str | None:
    """Return the served archive's figure, or why there is none; None where no gate asks for it."""
    if not gate.ratios:
        return None
    of_rows = source == EVALUATE or (source, gate.metric) == (PACKAGE, LATENCY)
    return recorded.figure(gate.metric, source, basis if of_rows else None)


def _within(field: str, value: float, ratio: Fraction, served: float | str | None) -> bool:
    """Tell whether a figure is as near to the served one as a ratio says, exactly in decimals."""
    if not isinstance(served, float):
        return False
    return _RATIOS[field](Fraction(repr(value)), ratio * Fraction(repr(served)))


def is_rejected(rows: Sequence[Row]) -> bool:
    """Tell whether one of the gates was missed."""
    return any(row.verdict == FAILED for row in rows)
