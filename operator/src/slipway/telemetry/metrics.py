"""Prometheus metrics of the operator."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Sampled(Collector):
    """A gauge whose samples are taken when it is scraped."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], take: Callable[[], Iterable[Sample]]
    ) -> None:
        self._name, self._text, self._labels, self._take = name, text, labels, take

    def collect(self) -> Iterator[Metric]:
        """Yield the gauge with its present samples."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, number in self._take():
            family.add_metric(values, number)
        yield family


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "slipway_reconcile",
            "Reconciles by the object's kind and how they ended.",
            ("kind", "result"),
            registry=self.registry,
        )
        self.errors = Counter(
            "slipway_reconcile_errors",
            "Failed reconciles by the object's kind and the reason.",
            ("kind", "reason"),
            registry=self.registry,
        )
        self.duration = Histogram(
            "slipway_reconcile_duration_seconds",
            "Time of one reconcile, from observing to the last write.",
            ("kind",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests = Counter(
            "slipway_api_requests",
            "Requests to the API server by verb and status code; code 0 is no answer.",
            ("verb", "code"),
            registry=self.registry,
        )
        self.writes = Counter(
            "slipway_api_writes",
            "Writes for objects by the object's kind and what was written.",
            ("kind", "what"),
            registry=self.registry,
        )
        self.leader = Gauge(
            "slipway_leader",
            "Whether this replica acts (1) or stands by (0).",
            registry=self.registry,
        )

    def sampled(
        self, name: str, text: str, labels: tuple[str, ...], take: Callable[[], Iterable[Sample]]
    ) -> None:
        """Add a gauge that ``take`` fills at each scrape."""
        self.registry.register(Sampled(name, text, labels, take))
