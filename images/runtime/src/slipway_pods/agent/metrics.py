"""A training pod's metrics in Prometheus' text format, made from the script's last report.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import contextlib
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slipway_pods import beneath
from slipway_runtime import strict
from slipway_runtime.checkpoint.files import read_ledger
from slipway_runtime.reporting import progress

GAUGES = (
    ("step", "slipway_training_step", "Step that the script last reported."),
    ("totalSteps", "slipway_training_total_steps", "Steps that the script plans to take."),
    ("epoch", "slipway_training_epoch", "Epoch that the script last reported."),
    (
        "time",
        "slipway_training_last_report_timestamp_seconds",
        "When the script last reported, in seconds since 1970.",
    ),
    (
        "stepsPerSecond",
        "slipway_training_steps_per_second",
        "Steps a second, over the last minute of reports.",
    ),
    (
        "samplesPerSecond",
        "slipway_training_samples_per_second",
        "Samples a second of all processes, where the script reports samples.",
    ),
    (
        "etaSeconds",
        "slipway_training_eta_seconds",
        "Time until the planned end at the pace of the last minute, in seconds.",
    ),
)
"""The report's fields, and the gauges made from them, with their help texts."""

GPU_GAUGES = (
    ("memoryUsedBytes", "slipway_training_gpu_memory_used_bytes", "Memory in use on rank 0's GPU."),
    ("memoryTotalBytes", "slipway_training_gpu_memory_total_bytes", "Memory of rank 0's GPU."),
    (
        "utilization",
        "slipway_training_gpu_utilization_ratio",
        "Share of the time in which rank 0's GPU was busy, from 0 to 1.",
    ),
)
"""The fields of the report's ``gpu``, where torch sees one."""


MAX_REPORT_BYTES = 64 * 1024
"""Longest report of a script."""
MAX_NAME = 64
"""Longest name of a metric, in characters; a longer one is cut."""
MAX_REASON = 64
"""Longest reason to stop, in characters."""


class StoreProbe:
    """Whether the store takes connections; one answer is believed for some seconds."""

    def __init__(self, uri: str, env: Mapping[str, str], believed_seconds: float = 10.0) -> None:
        self._address = store_address(uri, env)
        self._believed = believed_seconds
        self._asked = float("-inf")
        self._up = False

    def __call__(self) -> bool | None:
        """Return whether the store is up; None where there is no store to ask."""
        if self._address is None:
            return None
        if time.monotonic() - self._asked > self._believed:
            self._up = self._connects(self._address)
            self._asked = time.monotonic()
        return self._up

    @staticmethod
    def _connects(address: tuple[str, int]) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=2.0):
            return True
        return False


def store_address(uri: str, env: Mapping[str, str]) -> tuple[str, int] | None:
    """Return the host and port of the S3 endpoint behind a URI; None for no store."""
    if not uri.startswith("s3://"):
        return None
    region = env.get("AWS_DEFAULT_REGION", "us-east-1")
    endpoint = urlsplit(env.get("AWS_ENDPOINT_URL") or f"https://s3.{region}.amazonaws.com")
    return endpoint.hostname or "", endpoint.port or (443 if endpoint.scheme == "https" else 80)


CHECKPOINT_GAUGES = (
    ("step", "slipway_training_last_checkpoint_step", "Step of the newest valid checkpoint."),
    (
        "time",
        "slipway_training_last_checkpoint_timestamp_seconds",
        "When the newest checkpoint became valid, in seconds since 1970.",
    ),
    (
        "seconds",
        "slipway_training_checkpoint_duration_seconds",
        "Time from the begin of the newest checkpoint's save until it was valid in the store.",
    ),
    ("sizeBytes", "slipway_training_checkpoint_size_bytes", "Size of the newest checkpoint."),
)
"""What the ledger says of the newest checkpoint."""


def render(run_dir: Path, store_up: StoreProbe, restore_dir: str | None = None) -> str:
    """Return the metrics as text; those of the script are absent before its first report.

    ``restore_dir`` is where the keeper of checkpoints has its ledger; None for none.
    """
    lines = list(store_lines(store_up()))
    report = read_report(run_dir)
    if report is not None:
        lines += report_lines(report)
    if restore_dir:
        ledger = read_ledger(Path(restore_dir))
        lines += checkpoint_lines(ledger.committed or {}, failing=ledger.failure is not None)
    return "".join(f"{line}\n" for line in lines)


def read_report(run_dir: Path) -> dict[str, Any] | None:
    """Return the script's last report; None where there is none, or none that can be taken."""
    try:
        with beneath.Folder(run_dir) as folder:
            data = folder.read(progress.FILE_NAME, MAX_REPORT_BYTES)
        found = strict.loads(data, MAX_REPORT_BYTES)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def checkpoint_lines(newest: Mapping[str, Any], *, failing: bool) -> Iterator[str]:
    """Yield as text what is known of the newest checkpoint, and whether the last save failed."""
    yield from gauges(CHECKPOINT_GAUGES, newest)
    name = "slipway_training_checkpoint_failing"
    yield f"# HELP {name} Whether the last save could not be stored."
    yield f"# TYPE {name} gauge"
    yield f"{name} {int(failing)}"


def store_lines(up: bool | None) -> Iterator[str]:
    """Yield the store's state as text; nothing for None, where there is no store."""
    if up is not None:
        yield "# HELP slipway_store_up Whether the artifact store takes connections."
        yield "# TYPE slipway_store_up gauge"
        yield f"slipway_store_up {int(up)}"


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report's numbers as text; what it lacks or is no number is left out."""
    yield from gauges(GAUGES, report)
    gpu = report.get("gpu")
    if isinstance(gpu, dict):
        yield from gauges(GPU_GAUGES, gpu)
    if isinstance(report.get("stopReason"), str):
        name = "slipway_training_stop"
        yield f"# HELP {name} Why the training ends before its planned end: a criterion that holds."
        yield f"# TYPE {name} gauge"
        yield f'{name}{{reason="{_escape(report["stopReason"][:MAX_REASON])}"}} 1'
    metrics = report.get("metrics")
    if isinstance(metrics, dict) and metrics:
        yield "# HELP slipway_training_metric Metrics that the script last reported, by name."
        yield "# TYPE slipway_training_metric gauge"
        for name, value in named_metrics(metrics).items():
            yield f'slipway_training_metric{{name="{_escape(name)}"}} {value}'


def named_metrics(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return a report's metrics as text, of 32 at most, with names of 64 characters at most.

    Those that gates judge are kept, then the first by name.
    """
    found: dict[str, str] = {}
    gated = progress.gate_metrics()
    for name in sorted(metrics, key=lambda name: (name not in gated, name)):
        value = _number(metrics[name])
        if value is not None and len(found) < progress.MAX_METRICS:
            found.setdefault(name[:MAX_NAME], value)
    return found


def gauges(table: Iterable[tuple[str, str, str]], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield those of a table's gauges that have a number, as text."""
    for field, name, text in table:
        value = _number(values.get(field))
        if value is not None:
            yield f"# HELP {name} {text}"
            yield f"# TYPE {name} gauge"
            yield f"{name} {value}"


def _number(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    special = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
    return special.get(str(number), repr(number))


def _escape(text: str) -> str:
    text = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
