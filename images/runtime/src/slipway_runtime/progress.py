"""The file through which a training script tells its progress: ``progress.json``.

Its shape: ``{"step": int, "totalSteps": int|null, "epoch": int|null, "metrics": {name: float},
"time": unix seconds, "stepsPerSecond", "samplesPerSecond", "etaSeconds": float|null, "gpu": {name:
float}, "stopReason": str|null}``. It is replaced whole by a rename, so a reader never sees half of
one.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_NAME = "progress.json"
MAX_METRICS = 32
"""Most metrics that one report may carry."""


def document(
    step: int,
    total_steps: int | None,
    epoch: int | None,
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a report as it is stored.

    Metrics may be anything that ``float`` takes, such as a tensor of one element. Raises
    ValueError for a negative step, too many metrics, or a value that is not a number.
    """
    if step < 0:
        raise ValueError(f"report() was given step {step}: write 0 or more")
    if len(metrics) > MAX_METRICS:
        raise ValueError(f"report() was given {len(metrics)} metrics: write {MAX_METRICS} at most")
    return {
        "step": int(step),
        "totalSteps": None if total_steps is None else int(total_steps),
        "epoch": None if epoch is None else int(epoch),
        "metrics": {name: _number(name, value) for name, value in metrics.items()},
        "time": time.time(),
    }


def write(folder: str | Path, report: Mapping[str, Any]) -> None:
    """Put a report into a folder, replacing the one before in one step."""
    handle, temporary = tempfile.mkstemp(prefix=".progress-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(report, stream)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(Path(folder) / FILE_NAME)
    except BaseException:
        Path(temporary).unlink()
        raise


def read(folder: str | Path) -> dict[str, Any] | None:
    """Return the last report, or None where there is none that can be read."""
    try:
        report = json.loads((Path(folder) / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def _number(name: str, value: Any) -> float | str:
    try:
        number = float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):
        raise ValueError(f"report() was given {name}={value!r}: write a number") from None
    return number if math.isfinite(number) else str(number)
