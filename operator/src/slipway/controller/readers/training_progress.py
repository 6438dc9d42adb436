"""Reading a training run's progress from the metrics that its first pod serves."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from slipway.api.training.status import Progress
from slipway.controller.readers.asking.bounded import (
    BoundedReader,
    Bounds,
    UnansweredError,
    pod_url,
)
from slipway.controller.readers.asking.questions import Newest, Questions
from slipway.controller.readers.asking.turns import Turns
from slipway.controller.readers.exposition import families
from slipway.manifests import head_of
from slipway.plan import Children, Manifest
from slipway.training.children.names import INDEX
from slipway.training.report.progress import from_report

PORT = 9400
_BOUNDS = Bounds(total_seconds=3.0, connect_seconds=1.0, most_bytes=256 * 1024)
_IN_ALL, _EACH = 64, 16
"""How many pods are asked at a time, in all and in one namespace."""
_MOST_LINES = 512
_METRIC, _STOP = "slipway_training_metric", "slipway_training_stop"
_COUNTS = {
    "slipway_training_step": "step",
    "slipway_training_total_steps": "totalSteps",
    "slipway_training_epoch": "epoch",
}
_NUMBERS = {
    "slipway_training_eta_seconds": "etaSeconds",
    "slipway_training_steps_per_second": "stepsPerSecond",
    "slipway_training_samples_per_second": "samplesPerSecond",
    "slipway_training_last_report_timestamp_seconds": "time",
}
_CHECKPOINT_COUNTS = {
    "slipway_training_last_checkpoint_step": "step",
    "slipway_training_checkpoint_size_bytes": "sizeBytes",
}
_CHECKPOINT_NUMBERS = {
    "slipway_training_last_checkpoint_timestamp_seconds": "time",
    "slipway_training_checkpoint_duration_seconds": "seconds",
}
_NAMES = (
    _METRIC,
    _STOP,
    *(*_COUNTS, *_NUMBERS),
    *(*_CHECKPOINT_COUNTS, *_CHECKPOINT_NUMBERS),
)


def first_pod(children: Children) -> Manifest | None:
    """Return the running pod of completion index 0 that has an address, or None."""
    for pod in children.of_kind("Pod"):
        meta, status = pod["metadata"], pod.get("status") or {}
        marks = {**(meta.get("annotations") or {}), **(meta.get("labels") or {})}
        running = status.get("phase") == "Running" and not meta.get("deletionTimestamp")
        if marks.get(INDEX) == "0" and running and status.get("podIP"):
            return pod
    return None


def parse_progress(page: str) -> Progress | None:
    """Return the progress in a page in Prometheus' text format; None before the first report.

    Raises ValueError where the lines that tell it have another format.
    """
    gauges: dict[str, float] = {}
    report: dict[str, Any] = {"metrics": {}}
    for family in families(page, _NAMES, _MOST_LINES):
        for sample in family.samples:
            if sample.name == _METRIC:
                report["metrics"][sample.labels.get("name", "")] = sample.value
            elif sample.name == _STOP:
                report["stopReason"] = sample.labels.get("reason")
            else:
                gauges[sample.name] = sample.value
    report |= _fields(gauges, _COUNTS, _NUMBERS)
    report["checkpoint"] = _fields(gauges, _CHECKPOINT_COUNTS, _CHECKPOINT_NUMBERS)
    return from_report(report)


def _fields(
    gauges: Mapping[str, float], counts: Mapping[str, str], numbers: Mapping[str, str]
) -> dict[str, float | None]:
    """Return a report's fields by their own names; a count that is no whole number is None."""
    whole = {field: _whole(gauges.get(name)) for name, field in counts.items()}
    return {**whole, **{field: gauges.get(name) for name, field in numbers.items()}}


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and math.isfinite(value) else None


class ProgressReader:
    """Asks pods for their progress, each at most once in ``interval`` seconds, holding nothing up.

    A pod that does not answer is no error: what was last known of it stays, with its age. ``tell``
    is called with a pod whose answer brought news.
    """

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Manifest], None] = lambda _: None,
    ) -> None:
        self._tell = tell
        self._questions: Questions[Progress | None] = Questions(interval, clock)
        self._reader = BoundedReader(_BOUNDS, Turns(_IN_ALL, _EACH))

    def read(self, pod: Manifest) -> Newest[Progress | None]:
        """Return what a pod last reported, and have it asked anew where that is too old."""
        head, url = head_of(pod), f"{pod_url(pod['status']['podIP'], PORT)}/metrics"

        async def ask(_: Progress | None) -> Progress | None:
            return await self._ask(url, head["metadata"]["namespace"])

        return self._questions.read(head["metadata"]["uid"], ask, lambda: self._tell(head))

    async def _ask(self, url: str, tenant: str) -> Progress | None:
        page = await self._reader.get_page(url, tenant)
        try:
            return parse_progress(page)
        except ValueError as error:
            raise UnansweredError("its page is not in Prometheus' text format") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._questions.close()
        await self._reader.close()
