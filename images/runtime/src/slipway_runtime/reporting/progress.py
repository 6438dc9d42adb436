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
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_NAME = "progress.json"
MAX_METRICS = 32
"""Most metrics that one report may carry."""
MAX_COUNT = 2**63
"""Beyond what a step or an epoch can be: the API has 64 bits for it."""
MAX_NAME = 64
"""Longest name of a metric that is shown, in characters."""


def gate_metrics() -> frozenset[str]:
    """Return the metrics of ``spec.package.gates``, from ``SLIPWAY_GATE_METRICS``: JSON, a list.

    A report that has too many keeps them. What is no such list gives none.
    """
    try:
        names = json.loads(os.environ.get("SLIPWAY_GATE_METRICS", "[]"))
    except (ValueError, RecursionError):
        return frozenset()
    known = names if isinstance(names, list) else []
    return frozenset(name for name in known if isinstance(name, str))


class Notes:
    """What is said on stderr of reports that cannot be shown as they are: each kind once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, kind: str, text: str) -> None:
        """Say something of a kind that was not said before."""
        if kind not in self._said:
            self._said.add(kind)
            print(f"slipway: report(): {text} (this is said once)", file=sys.stderr, flush=True)


def document(
    step: Any, total_steps: Any, epoch: Any, metrics: Mapping[Any, Any], notes: Notes
) -> dict[str, Any] | None:
    """Return a report as it is stored; None where its step is no number.

    Numbers may be anything that ``float`` takes, such as a tensor of one element. Nothing raises:
    what cannot be shown is left out, and said.
    """
    whole = count(step)
    if whole is None:
        notes.say("step", f"step {shown(step)} is no whole number from 0 on: nothing is reported")
        return None
    return {
        "step": whole,
        "totalSteps": _optional("total", total_steps, notes),
        "epoch": _optional("epoch", epoch, notes),
        "metrics": shown_metrics(metrics, notes),
        "time": time.time(),
    }


def shown_metrics(metrics: Mapping[Any, Any], notes: Notes) -> dict[str, float | str]:
    """Return the metrics that a report carries, by their names as they are shown."""
    kept: dict[str, float | str] = {}
    for name, value in metrics.items():
        number, short = _number(value), _name(name)
        if number is None:
            notes.say(f"value of {short}", f"{short} is {shown(value)}, no number: it is left out")
        elif short in kept:
            notes.say(f"twice {short}", f"two metrics are called {short}: one is left out")
        elif len(kept) >= MAX_METRICS:
            notes.say("many", f"only the first {MAX_METRICS} of {len(metrics)} metrics are shown")
        else:
            if short != name:
                notes.say(f"name {short}", f"the metric {shown(name)} is shown as {short}")
            kept[short] = number
    return kept


def number(value: Any) -> float | None:
    """Return a value as a float; None where it is none, or is not finite."""
    found = _number(value)
    return found if isinstance(found, float) else None


def count(value: Any) -> int | None:
    """Return a value as a whole number; None where it is none, or below 0."""
    found = value if isinstance(value, int) else number(value)
    return int(found) if found is not None and 0 <= found < MAX_COUNT else None


def _optional(name: str, value: Any, notes: Notes) -> int | None:
    found = None if value is None else count(value)
    if value is not None and found is None:
        notes.say(name, f"{name} is {shown(value)}, no number from 0 on: it is left out")
    return found


def _name(name: Any) -> str:
    """Return a metric's name as it is shown: printable, and at most `MAX_NAME` characters."""
    try:
        whole = str(name)
    except Exception:  # a user's own class may raise anything
        whole = type(name).__name__
    text = "".join(one if one.isprintable() else "_" for one in whole[:MAX_NAME])
    return text or "unnamed"


def shown(value: Any) -> str:
    """Return a value for a sentence; its own way to show itself may fail, too."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = type(value).__name__
    return text if len(text) <= MAX_NAME else f"{text[:MAX_NAME]}..."


def _number(value: Any) -> float | str | None:
    """Return a number as JSON can hold it; None where a value is none."""
    try:
        found = float(value.detach() if hasattr(value, "detach") else value)
    except Exception:  # a user's own class may raise anything
        return None
    return found if math.isfinite(found) else str(found)


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
