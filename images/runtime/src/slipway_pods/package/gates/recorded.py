"""The figures of the archive that is served: those that were recorded when it was packaged.

They are in the record of its origin, beside it in the store. Whoever can write there may have
written it, and an archive of an earlier release has fewer figures in it. Pure.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway_pods.store import manifest
from slipway_runtime import strict

REPORT, EVALUATE, PACKAGE = "Report", "Evaluate", "Package"
"""Where a figure is from: the training's last report, ``samples.evaluate``, the package itself."""
NOTHING_SERVED = "NothingServed"
"""There is no archive to compare with yet."""
NO_RECORD, NOT_RECORDED = "NoRecord", "NotRecorded"
"""There is no record of the archive that is served; the record does not have the figure."""
OTHER_ROWS = "OtherRows"
"""The figure is of other rows than those that were answered now."""
OTHER_EVALUATION = "OtherEvaluation"
"""The figure is another evaluation's than the one that judged the answers now."""
NEGATIVE = "Negative"
"""The figure is below 0: how many times another figure it is says nothing of which is better."""
MAX_BYTES = manifest.MAX_BYTES
"""Longest record that is read; it lists the files of an output."""


@dataclass(frozen=True)
class Served:
    """The archive that is served by its digest, and where the record of its origin is, if known."""

    sha256: str
    record_uri: str | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Served":
        """Return what the operator says of it; raises KeyError."""
        return cls(told["sha256"], told.get("lineageUri"))


@dataclass(frozen=True)
class Basis:
    """What figures of answers go by: the rows, and the program that made figures of the answers.

    ``rows`` and ``evaluation`` are the SHA-256s of their files, and ``function`` is the function in
    the latter; each is empty where there is none, or it is not known.
    """

    rows: str = ""
    evaluation: str = ""
    function: str = ""

    @classmethod
    def read(cls, record: strict.Fields) -> "Basis":
        """Return what a record says of it, whoever wrote it; raises ValueError."""
        program = record.mapping("evaluation")
        texts = (record.mapping("samples").get("sha256"), *map(program.get, ("sha256", "function")))
        return cls(*(each if isinstance(each, str) else "" for each in texts))

    @property
    def told(self) -> dict[str, Any]:
        """What a record has of it."""
        program = {"sha256": self.evaluation, "function": self.function}
        return {
            **({"samples": {"sha256": self.rows}} if self.rows else {}),
            **({"evaluation": program} if self.evaluation else {}),
        }

    def other(self, then: "Basis", source: str) -> str | None:
        """Return why figures from a source do not compare with those of then; None if they do."""
        if self.rows != then.rows:
            return OTHER_ROWS
        if source == EVALUATE and (self.evaluation, self.function) != (
            then.evaluation,
            then.function,
        ):
            return OTHER_EVALUATION
        return None


@dataclass(frozen=True)
class RecordedFigures:
    """The figures of an archive by source and metric, and what those of its answers go by.

    ``problem`` is why there are none; empty where there may be some.
    """

    problem: str = ""
    figures: Mapping[tuple[str, str], float] = field(default_factory=dict)
    basis: Basis = field(default_factory=Basis)

    @classmethod
    def read(cls, data: bytes, sha256: str) -> "RecordedFigures":
        """Return what a record has on the archive with a digest, whoever wrote it."""
        try:
            record = strict.Fields(strict.loads(data, MAX_BYTES, manifest.MAX_VALUES))
            package = strict.Fields(record.mapping("package"))
            if package.text("sha256", 64) != sha256:
                return cls(NO_RECORD)
            return cls("", dict(_figures(record, package)), Basis.read(record))
        except ValueError:
            return cls(NO_RECORD)

    def figure(self, metric: str, source: str, basis: Basis | None) -> float | str:
        """Return a figure from a source, or the reason why it can be compared with none.

        ``basis`` is what it must go by; None where it is of no rows.
        """
        if self.problem:
            return self.problem
        value = self.figures.get((source, metric))
        if value is None:
            return NOT_RECORDED
        if basis is not None and (why := basis.other(self.basis, source)):
            return why
        return NEGATIVE if value < 0 else value


def _figures(
    record: strict.Fields, package: strict.Fields
) -> Iterator[tuple[tuple[str, str], float]]:
    job = strict.Fields(record.mapping("trainingJob"))
    for name, text in job.mapping("metrics").items():
        value = _number(text)
        if value is not None:
            yield (REPORT, name), value
    yield (PACKAGE, "sizeBytes"), float(package.integer("sizeBytes", 0, 2**63))
    for name, told in record.mapping("figures").items():
        known = told if isinstance(told, dict) else {}
        value, source = _number(known.get("value")), known.get("source")
        if value is not None and source in (EVALUATE, PACKAGE):
            yield (source, name), value


def _number(told: Any) -> float | None:
    """Return a finite number, which may be decimal text; None for anything else."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        value = float(told)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None
