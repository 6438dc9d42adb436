"""Reading a training run's progress from the metrics that its first pod serves."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
from cachetools import LRUCache
from prometheus_client.parser import text_string_to_metric_families

from slipway.api.conditions import timestamp
from slipway.api.training_status import Progress
from slipway.controller.sessions import LazySession, pod_url
from slipway.plan import Children, Manifest
from slipway.training.progress import checkpoint, decimal, rate, seconds, stop_reason, with_percent
from slipway.training.view import INDEX

_LOG = logging.getLogger(__name__)
PORT = 9400
_TIMEOUT = aiohttp.ClientTimeout(total=3, connect=1)
_PATIENCE_SECONDS = 0.25
_MOST_BYTES = 256 * 1024
_MOST_METRICS = 32
_MOST_JOBS = 4096


def first_pod(children: Children) -> Manifest | None:
    """Return the running pod of completion index 0 that has an address, or None."""
    for pod in children.of_kind("Pod"):
        meta, status = pod["metadata"], pod.get("status") or {}
        marks = {**(meta.get("annotations") or {}), **(meta.get("labels") or {})}
        running = status.get("phase") == "Running" and not meta.get("deletionTimestamp")
        if marks.get(INDEX) == "0" and running and status.get("podIP"):
            return pod
    return None


def _count(value: float | None) -> int | None:
    return int(value) if value is not None and 0 <= value < 2**63 else None


def parse_progress(text: str) -> Progress | None:
    """Return the progress in a page in Prometheus' text format; None before the first report.

    Raises ValueError for a page that is none.
    """
    gauges: dict[str, float] = {}
    metrics: dict[str, str] = {}
    stop = None
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "slipway_training_metric" and len(metrics) < _MOST_METRICS:
                metrics[sample.labels.get("name", "")] = decimal(sample.value)
            elif sample.name == "slipway_training_stop":
                stop = stop_reason(sample.labels.get("reason"))
            else:
                gauges[sample.name] = sample.value
    step = _count(gauges.get("slipway_training_step"))
    if step is None:
        return None
    return _progress(step, gauges).model_copy(update={"metrics": metrics, "stop_reason": stop})


def _progress(step: int, gauges: Mapping[str, float]) -> Progress:
    total = _count(gauges.get("slipway_training_total_steps"))
    moment = gauges.get("slipway_training_last_report_timestamp_seconds")
    progress = Progress(
        step=step,
        total_steps=total,
        epoch=_count(gauges.get("slipway_training_epoch")),
        eta_seconds=seconds(gauges.get("slipway_training_eta_seconds")),
        checkpoint=checkpoint(
            {
                "step": _count(gauges.get("slipway_training_last_checkpoint_step")),
                "time": gauges.get("slipway_training_last_checkpoint_timestamp_seconds"),
                "seconds": gauges.get("slipway_training_checkpoint_duration_seconds"),
                "sizeBytes": _count(gauges.get("slipway_training_checkpoint_size_bytes")),
            }
        ),
        steps_per_second=rate(gauges.get("slipway_training_steps_per_second")),
        samples_per_second=rate(gauges.get("slipway_training_samples_per_second")),
        last_report_time=timestamp(datetime.fromtimestamp(moment, UTC)) if moment else None,
    )
    return with_percent(progress)


@dataclass
class _Known:
    """What a pod last said, when it was last asked, and the question that is under way.

    ``settled`` is when the last question was asked that is no longer under way.
    """

    asked: float = -math.inf
    settled: float = -math.inf
    progress: Progress | None = None
    answers: bool = False
    question: asyncio.Task[None] | None = None


class ProgressReader:
    """Asks pods for their progress, each at most once in ``interval`` seconds.

    A pod that does not answer is no error: what was last known of it stays. Nor does it hold up
    anything: only a pod that answered last time is waited for, and not for long. ``tell`` is
    called with a pod whose answer was not waited for, once it has come.
    """

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Manifest], None] = lambda _: None,
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._tell = tell
        self._known: LRUCache[str, _Known] = LRUCache(_MOST_JOBS)
        self._session = LazySession(_TIMEOUT, limit=8)

    async def read(self, pod: Manifest) -> Progress | None:
        """Return what a pod last reported, asking it where that is too old."""
        known = self._entry(pod["metadata"]["uid"])
        now = self._clock()
        if known.question is None and now - known.asked >= self._interval:
            known.asked = now
            known.question = asyncio.create_task(self._renew(known, pod))
            if known.answers:
                await asyncio.wait((known.question,), timeout=_PATIENCE_SECONDS)
        return known.progress

    def age(self, pod: Manifest) -> float:
        """Return how many seconds ago a pod was asked what it has answered or failed to answer.

        Infinite for a pod that has not been.
        """
        return self._clock() - self._entry(pod["metadata"]["uid"]).settled

    def _entry(self, uid: str) -> _Known:
        return self._known.setdefault(uid, _Known())

    async def _renew(self, known: _Known, pod: Manifest) -> None:
        waited_for, before = known.answers, known.progress
        found = await self._ask(pod["status"]["podIP"])
        known.answers, known.question = found is not None, None
        known.settled = known.asked
        known.progress = found or before
        late = self._clock() - known.asked >= _PATIENCE_SECONDS
        if found != before and (late or not waited_for):
            self._tell(pod)

    async def _ask(self, address: str) -> Progress | None:
        try:
            async with self._session.get().get(f"{pod_url(address, PORT)}/metrics") as response:
                response.raise_for_status()
                page: Any = await response.content.read(_MOST_BYTES)
            return parse_progress(page.decode("utf-8", "replace"))
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError, OverflowError) as error:
            _LOG.debug("No progress from the pod at %s: %s", address, error)
            return None

    async def close(self) -> None:
        """Close the connections."""
        questions = [known.question for known in self._known.values() if known.question]
        for question in questions:
            question.cancel()
        await asyncio.gather(*questions, return_exceptions=True)
        await self._session.close()
