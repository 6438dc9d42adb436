"""What the server measures, in TorchServe's words, and as histograms, which TorchServe lacks.

Names: TorchServe 0.12's metrics.yaml
(https://github.com/pytorch/serve/blob/master/ts/configs/metrics.yaml).
"""

import contextlib
import math
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,99}")
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")
_MOST_SERIES = 2000
"""How many series of its own a model may have."""
_MOST_UPDATES = 1000
"""How many updates of one batch are taken in."""
_LABEL_CHARACTERS = 128
_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
_SIZES = tuple(float(2**power) for power in range(11))

Labels = tuple[tuple[str, str], ...]


class Plain:
    """Counters and gauges under exactly their names: Prometheus' library would add to them."""

    def __init__(self) -> None:
        self._values: dict[str, dict[Labels, float]] = {}
        self._kinds: dict[str, str] = {}
        self._series = 0

    def __contains__(self, name: str) -> bool:
        return name in self._kinds

    def put(self, name: str, kind: str, value: float, labels: Labels, *, most: float) -> None:
        """Add to a counter, or set a gauge; beyond ``most`` series a new one is left out."""
        series = self._values.setdefault(name, {})
        if self._kinds.setdefault(name, kind) != kind:
            return
        if labels not in series:
            if self._series >= most:
                return
            self._series += 1
        series[labels] = value + (series.get(labels, 0.0) if kind == "counter" else 0.0)

    def collect(self) -> Iterator[Metric]:
        """Yield each family."""
        for name, series in self._values.items():
            family = Metric(name, f"{name}.", self._kinds[name])
            for labels, value in series.items():
                family.add_sample(name, dict(labels), value)
            yield family


class Metrics:
    """The metrics of one model."""

    def __init__(self, model: str, version: str) -> None:
        host = socket.gethostname()
        self._who: Labels = (("model_name", model), ("model_version", version), ("hostname", host))
        self._level: Labels = (("Level", "Host"), ("Hostname", host))
        self._registry = CollectorRegistry()
        self._own, self._models = Plain(), Plain()
        self._registry.register(self._own)
        self._registry.register(self._models)
        self._seconds = self._histogram("ts_inference_seconds", "Time to an answer.", _SECONDS)
        self._waits = self._histogram("ts_queue_seconds", "Time in the queue.", _SECONDS)
        self._batches = self._histogram("ts_batch_size", "Requests of a batch.", _SIZES)
        for name in ("requests_total", "latency_microseconds"):
            self._add(f"ts_inference_{name}", 0)
        self._add("ts_queue_latency_microseconds", 0)
        self._add("slipway_server_worker_deaths_total", 0)

    def _histogram(self, name: str, text: str, buckets: Iterable[float]) -> Histogram:
        names, values = zip(*self._who, strict=True)
        made = Histogram(name, text, names, buckets=tuple(buckets), registry=self._registry)
        return made.labels(*values)

    def _add(self, name: str, value: float) -> None:
        self._own.put(name, "counter", value, self._who, most=math.inf)

    def came(self) -> None:
        """Count a request."""
        self._add("ts_inference_requests_total", 1)

    def died(self) -> None:
        """Count a worker that ended."""
        self._add("slipway_server_worker_deaths_total", 1)

    def taken(self, waited: Sequence[float], size: int) -> None:
        """Count a batch by its size, and how long its new requests waited, in seconds."""
        self._batches.observe(size)
        for seconds in waited:
            self._add("ts_queue_latency_microseconds", seconds * 1e6)
            self._waits.observe(seconds)
            self._own.put("QueueTime", "gauge", seconds * 1e3, self._who, most=math.inf)

    def answered(self, status: int, seconds: float | None) -> None:
        """Count an answer, and how long it took where a worker gave it, in seconds."""
        self._own.put(f"Requests{status // 100}XX", "counter", 1, self._level, most=math.inf)
        if seconds is not None:
            self._add("ts_inference_latency_microseconds", seconds * 1e6)
            self._seconds.observe(seconds)

    def update(self, updates: Any) -> None:
        """Take in what a worker says of metrics; what is none of them is left out.

        A histogram of the handler's is told as its last value.
        """
        if not isinstance(updates, list):
            return
        for update in updates[:_MOST_UPDATES]:
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                name, kind, value, labels = update
                told = {str(label): str(text) for label, text in labels}
                self._put(str(name), str(kind), float(value), told)

    def _put(self, name: str, kind: str, value: float, labels: Mapping[str, str]) -> None:
        if not _NAME.fullmatch(name) or not math.isfinite(value) or name in self._own:
            return
        if not all(_LABEL.fullmatch(label) for label in labels):
            return
        told = {label: text[:_LABEL_CHARACTERS] for label, text in labels.items()}
        series: Labels = tuple({**told, **dict(self._who)}.items())
        known = "counter" if kind == "counter" else "gauge"
        self._models.put(name, known, value, series, most=_MOST_SERIES)

    def page(self) -> bytes:
        """Return the page that Prometheus scrapes."""
        return generate_latest(self._registry)
