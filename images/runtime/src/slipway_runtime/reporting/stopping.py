"""When a training may end before its last step: the criteria of ``spec.stop``.

They come as JSON in ``SLIPWAY_STOP``, such as ``{"lossBelow": 0.1, "patience": 5}``, with the names
of the spec's fields. Rank 0 follows them, and all ranks hear of it: see `helper.should_stop`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LOSS_BELOW = "LossBelow"
"""The metric ``loss`` fell below ``lossBelow``."""
PATIENCE = "Patience"
"""The watched metric has not improved for ``patience`` epochs (or reports, without epochs)."""
MAX_EPOCHS = "MaxEpochs"
"""``maxEpochs`` epochs are done."""
WALL_TIME = "WallTime"
"""The training has run for ``wallTimeSeconds``, interruptions left out."""


@dataclass(frozen=True)
class Criteria:
    """What may end a training; None and absent criteria never do."""

    loss_below: float | None = None
    patience: int | None = None
    metric: str = "loss"
    mode: str = "Min"
    min_delta: float = 0.0
    max_epochs: int | None = None
    wall_time_seconds: float | None = None

    @classmethod
    def from_json(cls, text: str) -> Criteria:
        """Read the criteria; an empty text has none. Raises ValueError for what is no object."""
        given = json.loads(text or "{}")
        if not isinstance(given, dict):
            raise ValueError(f"SLIPWAY_STOP is {text!r}: write an object such as {{}}")
        return cls(
            loss_below=given.get("lossBelow"),
            patience=given.get("patience"),
            metric=given.get("metric", "loss"),
            mode=given.get("mode", "Min"),
            min_delta=given.get("minDelta", 0.0),
            max_epochs=given.get("maxEpochs"),
            wall_time_seconds=given.get("wallTimeSeconds"),
        )


class Stopper:
    """Follows one training's reports; what it has seen can go into a checkpoint and come back."""

    def __init__(self, criteria: Criteria, clock: Callable[[], float] = time.monotonic) -> None:
        self._criteria = criteria
        self._clock = clock
        self._began = clock()
        self._best: float | None = None
        self._best_at = 0
        self._count = 0
        self._found: str | None = None

    @property
    def metrics(self) -> tuple[str, str]:
        """The names of the metrics that decide."""
        return "loss", self._criteria.metric

    def observe(self, epoch: int | None, metrics: Mapping[str, Any]) -> None:
        """Take a report in; ``epoch`` is how many are done."""
        wanted = self._criteria
        self._follow(epoch, metrics.get(wanted.metric))
        loss = metrics.get("loss")
        if wanted.loss_below is not None and _number(loss) < wanted.loss_below:
            self._found = self._found or LOSS_BELOW
        if wanted.max_epochs is not None and epoch is not None and epoch >= wanted.max_epochs:
            self._found = self._found or MAX_EPOCHS

    def reason(self) -> str | None:
        """Return why the training should end, as a constant; None where it goes on."""
        longest = self._criteria.wall_time_seconds
        if self._found is None and longest is not None and self.elapsed() >= longest:
            self._found = WALL_TIME
        return self._found

    def elapsed(self) -> float:
        """Return how long the training has run, in seconds, earlier runs included."""
        return self._clock() - self._began

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "elapsed": self.elapsed(),
            "best": self._best,
            "bestAt": self._best_at,
            "count": self._count,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state; what it lacks begins anew."""
        self._began = self._clock() - float(state.get("elapsed") or 0.0)
        best = state.get("best")
        self._best = float(best) if best is not None else None
        self._best_at = int(state.get("bestAt") or 0)
        self._count = int(state.get("count") or 0)
        self._found = None

    def _follow(self, epoch: int | None, value: Any) -> None:
        """Count what comes after the best value: a value that is no number is no better one."""
        if value is None:
            return
        self._count = epoch if epoch is not None else self._count + 1
        if self._improves(_number(value)):
            self._best, self._best_at = _number(value), self._count
        patience = self._criteria.patience
        if patience is not None and self._count - self._best_at >= patience:
            self._found = self._found or PATIENCE

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self._best is None:
            return True
        gain = self._best - value if self._criteria.mode == "Min" else value - self._best
        return gain > self._criteria.min_delta


def _number(value: Any) -> float:
    """Return a reported number; NaN, which compares as false, for what is none."""
    return float(value) if isinstance(value, (int, float, str)) else math.nan
