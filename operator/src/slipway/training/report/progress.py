"""How far a training is: the script's last report, as it stands in the status."""

import math
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from slipway.api import TrainingJob, timestamp
from slipway.api.training.gates import MAX_METRIC_NAME
from slipway.api.training.status import (
    MAX_METRICS,
    CheckpointProgress,
    Progress,
    StopReason,
)
from slipway.training.observed.jobs import JobView
from slipway.training.observed.last_words import last_word

_NOT_FINITE = ("nan", "inf", "-inf")
"""How the helper writes numbers that JSON has no form for."""


def decimal(value: float) -> str:
    """Return a metric as decimal text with six significant digits, such as ``0.0123457``."""
    return f"{value:.6g}"


def exact(value: float) -> str:
    """Return a metric as decimal text that is the number itself, with six digits or more.

    A training's last figures are judged: 0.8999999 is not 0.9.
    """
    texts = (f"{value:.{digits}g}" for digits in (6, 9, 12, 15, 16))
    return next((text for text in texts if float(text) == value), f"{value:.17g}")


def with_percent(progress: Progress) -> Progress:
    """Return the progress with the share of its steps in percent; none without a planned end."""
    total = progress.total_steps
    percent = min(100, 100 * progress.step // total) if total else None
    return progress.model_copy(update={"percent": percent})


def from_report(
    report: Mapping[str, Any],
    text: Callable[[float], str] = decimal,
    first: Collection[str] = (),
) -> Progress | None:
    """Return the progress in a script's report; None where that has no step.

    ``text`` is how its metrics are written, ``first`` which of them are kept before all others.

    The report is ``{"step": int, "totalSteps": int|null, "epoch": int|null,
    "metrics": {name: float}, "time": unix seconds, "stepsPerSecond", "samplesPerSecond",
    "etaSeconds": float|null, "stopReason": str|null, "checkpoint": {"step", "time", "seconds",
    "sizeBytes"}|null}``, and a metric that is not finite is the text
    ``nan``, ``inf`` or ``-inf``; what has another shape is left out.
    """
    step = _count(report.get("step"))
    if step is None:
        return None
    said = report.get("metrics")
    metrics = _metrics(said, text, first)
    progress = Progress(
        step=step,
        total_steps=_count(report.get("totalSteps")),
        epoch=_count(report.get("epoch")),
        eta_seconds=seconds(report.get("etaSeconds")),
        steps_per_second=rate(report.get("stepsPerSecond")),
        samples_per_second=rate(report.get("samplesPerSecond")),
        metrics=metrics,
        dropped_metrics=len(said) - len(metrics) or None if isinstance(said, dict) else None,
        stop_reason=stop_reason(report.get("stopReason")),
        checkpoint=checkpoint(report.get("checkpoint")),
        last_report_time=_moment(report.get("time")),
    )
    return with_percent(progress)


def checkpoint(said: Any) -> CheckpointProgress | None:
    """Return what is said of the newest checkpoint, as in the sidecar's ledger; None for none."""
    step = _count(said.get("step")) if isinstance(said, dict) else None
    if step is None:
        return None
    return CheckpointProgress(
        step=step,
        time=_moment(said.get("time")),
        duration_seconds=seconds(said.get("seconds")),
        size_bytes=_count(said.get("sizeBytes")),
    )


def anew(before: Progress | None) -> Progress | None:
    """Return the progress of a group that starts again: as far as its newest checkpoint goes."""
    if before is None:
        return None
    saved = before.checkpoint
    step = saved.step if saved else 0
    return with_percent(Progress(step=step, total_steps=before.total_steps, checkpoint=saved))


def with_known_checkpoint(progress: Progress, before: Progress | None) -> Progress:
    """Return the progress with the newest checkpoint that is known, if it tells of none itself."""
    if progress.checkpoint or before is None:
        return progress
    return progress.model_copy(update={"checkpoint": before.checkpoint})


def seconds(value: Any) -> int | None:
    """Return a time left in whole seconds; None for what is no finite time."""
    return int(value) if _fits_float(value) and 0 <= value < 2**53 else None


def rate(value: Any) -> str | None:
    """Return a rate as decimal text; None for what is none."""
    return decimal(value) if _fits_float(value) and 0 <= value < math.inf else None


def stop_reason(value: Any) -> StopReason | None:
    """Return why the training ends early, if it is one of the criteria."""
    return value if value in get_args(StopReason) else None


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**63 else None


def _metrics(value: Any, text: Callable[[float], str], first: Collection[str]) -> dict[str, str]:
    """Return the 32 metrics that the status has room for: those to keep first, then by name."""
    if not isinstance(value, dict):
        return {}
    numbers = {
        name: text(float(number))
        for name, number in sorted(value.items(), key=lambda one: (one[0] not in first, one[0]))
        if (_fits_float(number) or number in _NOT_FINITE) and _can_be_shown(name)
    }
    return dict(list(numbers.items())[:MAX_METRICS])


def _can_be_shown(name: str) -> bool:
    """Tell whether a terminal and the API server take a metric's name as it is.

    The API server changes half a surrogate, and the status would be written again for ever.
    """
    return 0 < len(name) <= MAX_METRIC_NAME and name.isprintable()


def _fits_float(value: Any) -> bool:
    """Tell whether a value is a number, and no integer beyond what a float holds."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**1023)


def _moment(value: Any) -> str | None:
    if not _fits_float(value) or not math.isfinite(value) or not 0 < value < 1e11:
        return None
    return timestamp(datetime.fromtimestamp(value, UTC))


def final_progress(job: TrainingJob, live: JobView) -> Progress | None:
    """Return the last report in index 0's last word, its metrics exact; None where there is none.

    A pod that is gone by now may have had it. What gates judge is kept before other metrics.
    """
    first = [pod for pod in (*live.pods, *live.gone) if pod.index == 0 and pod.main.terminated]
    newest = max(first, key=lambda pod: pod.created, default=None)
    word = last_word(newest.main) if newest else None
    gated = job.spec.package.gated if job.spec.package else ()
    return from_report(word.mapping("progress"), exact, gated) if word else None
