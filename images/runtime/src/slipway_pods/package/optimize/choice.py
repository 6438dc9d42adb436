"""Which form of a model is packaged, by ``package.optimize``. Pure.

A candidate is taken where the objective's figure is less than the float model's by a twentieth, and
its answers are within the tolerance; of several the best. Else the float model is packaged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway_pods.package.gates.verdict import figure
from slipway_pods.package.optimize.figures import CANDIDATES, FLOAT, Figures, Measured, suffix
from slipway_runtime import strict

PACKAGED, PASSED, REFUSED, FAILED = "Packaged", "Passed", "Refused", "Failed"
LATENCY, SIZE = "Latency", "Size"
MAX_SECONDS = 86_400
BETTER = 0.95
"""Greatest share of the float model's figure that counts as better: less is the clocks' noise."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for: the better figure, the candidates, and by how much answers may differ.

    ``tolerance`` is a share from 0 to 1; ``seconds`` is how long all may take.
    """

    objective: str
    candidates: tuple[str, ...]
    tolerance: float
    seconds: float

    @classmethod
    def of(cls, told: Any) -> "Wanted":
        """Return what ``spec.package.optimize`` says; raises ValueError."""
        fields = strict.Fields(told, "package.optimize")
        named = fields.items("candidates", len(CANDIDATES))
        if not named or not all(each in CANDIDATES for each in named):
            raise ValueError(f"candidates are no list of {', '.join(CANDIDATES)}")
        return cls(
            fields.choice("objective", (LATENCY, SIZE)),
            tuple(dict.fromkeys(named)),
            strict.Fields({"tolerance": _number(told.get("tolerance"))}).number("tolerance", 1.0),
            fields.number("timeoutSeconds", MAX_SECONDS),
        )


def _number(told: Any) -> Any:
    """Return a number that may be a text, as the API has it; raises ValueError."""
    return float(told) if isinstance(told, str) else told


@dataclass(frozen=True)
class Row:
    """What became of a form, with its figures where it has some, and a sentence that says why."""

    name: str
    verdict: str
    message: str
    figures: Figures | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The row as status and record have it, numbers as decimal text."""
        found: dict[str, Any] = {"candidate": self.name, "verdict": self.verdict}
        if self.figures is not None:
            found["sizeBytes"] = self.figures.size_bytes
            found["latencyMilliseconds"] = figure(self.figures.milliseconds)
            found["difference"] = figure(self.figures.difference)
            if self.figures.agreement is not None:
                found["agreement"] = figure(self.figures.agreement)
        return {**found, "message": self.message}


def judge(wanted: Wanted, measured: Mapping[str, Measured]) -> list[Row]:
    """Return the row of each form, the float model's first."""
    plain = measured[FLOAT]
    rows = [_row(wanted, each, plain) for name, each in measured.items() if name != FLOAT]
    passed = [row.figures for row in rows if row.figures is not None and row.verdict == PASSED]
    best = min(passed, key=lambda each: _by(wanted, each), default=None)
    if best is not None:
        rows = [_packaged(row) if row.name == best.name else row for row in rows]
    return [_of_float(plain, best), *rows]


def chosen(rows: Sequence[Row]) -> Row:
    """Return the row of the form that is packaged."""
    return next(row for row in rows if row.verdict == PACKAGED)


def packaged_suffix(told: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the end of the model's name in an archive, by its rows.

    None where it has the exported form.
    """
    packaged = (row["candidate"] for row in told if row["verdict"] == PACKAGED)
    return next((suffix(name) for name in packaged if name != FLOAT), None)


def _by(wanted: Wanted, each: Figures) -> tuple[float, float]:
    """Return a form's figures, the one that it is chosen by first; less is better."""
    both = (each.milliseconds, float(each.size_bytes))
    return both if wanted.objective == LATENCY else (both[1], both[0])


def _of_float(plain: Measured, best: Figures | None) -> Row:
    figures = plain if isinstance(plain, Figures) else None
    if best is not None:
        return Row(FLOAT, PASSED, "It is the model as it was exported.", figures)
    return Row(FLOAT, PACKAGED, "No candidate is better within the tolerance.", figures)


def _row(wanted: Wanted, each: Measured, plain: Measured) -> Row:
    if not isinstance(each, Figures):
        return Row(each.name, FAILED, f"It has no figures: {each.why}")
    if not isinstance(plain, Figures):
        return Row(each.name, FAILED, "The float model has no figures to compare with.", each)
    why = _too_far(wanted, each) or _no_better(wanted, each, plain)
    if why:
        return Row(each.name, REFUSED, why, each)
    return Row(each.name, PASSED, "Another candidate is better.", each)


def _packaged(row: Row) -> Row:
    return Row(row.name, PACKAGED, "It is the best one within the tolerance.", row.figures)


def _too_far(wanted: Wanted, each: Figures) -> str:
    """Return why answers are too far from the float model's; empty where they are not."""
    if each.agreement is None:
        if each.difference <= wanted.tolerance:
            return ""
        most = figure(wanted.tolerance)
        told = figure(each.difference, wanted.tolerance)
        return f"An answer differs by {told}, and {most} is the most."
    if 1 - each.agreement <= wanted.tolerance + 1e-12:
        return ""
    least, told = figure(1 - wanted.tolerance), figure(each.agreement, 1 - wanted.tolerance)
    return f"The best class agrees in {told} of the answers; {least} is the least."


def _no_better(wanted: Wanted, each: Figures, plain: Figures) -> str:
    """Return why the objective's figure is no better; empty where it is."""
    if _by(wanted, each)[0] <= BETTER * _by(wanted, plain)[0]:
        return ""
    if wanted.objective == SIZE:
        return f"It is no smaller by 5%: {each.size_bytes} bytes to {plain.size_bytes}."
    one, other = figure(each.milliseconds), figure(plain.milliseconds)
    return f"It is no faster by 5%: {one} ms to {other}."
