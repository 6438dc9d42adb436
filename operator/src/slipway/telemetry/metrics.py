"""Prometheus metrics of the operator."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector

from slipway import __version__
from slipway.plan import Manifest
from slipway.telemetry.catalogue import Catalogue, Described, Labels, Sample, Take
from slipway.telemetry.objects import Objects, add_object_gauges
from slipway.telemetry.serving import ServingMetrics
from slipway.telemetry.trace import exemplar
from slipway.telemetry.training import TrainingMetrics

__all__ = ["Metrics", "Sample"]


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._catalogue = made = Catalogue()
        ProcessCollector(registry=made.registry)
        self.training = TrainingMetrics(made)
        self.serving = ServingMetrics(made)
        self.reconciles = made.counter(
            "slipway_reconcile_total",
            "Reconciles by the object's kind and how they ended.",
            *("kind", "result"),
        )
        self.errors = made.counter(
            "slipway_reconcile_errors_total",
            "Failed reconciles by the object's kind and the reason.",
            *("kind", "reason"),
        )
        self.duration = made.histogram(
            "slipway_reconcile_duration_seconds",
            "Time of one reconcile, from observing to the last write. Exemplars name its trace.",
            "kind",
        )
        self.queue_wait = made.histogram(
            "slipway_workqueue_wait_seconds",
            "Time that a key which was due waited for a worker.",
        )
        self.requests = made.counter(
            "slipway_api_requests_total",
            "Requests to the API server by verb and status code; code 0 is no answer.",
            *("verb", "code"),
        )
        self.writes = made.counter(
            "slipway_api_writes_total",
            "Writes for objects by the object's kind and what was written.",
            *("kind", "what"),
        )
        self.events = made.counter(
            "slipway_events_total",
            "Kubernetes Events about objects, by what became of them: posted, refused by the API "
            "server, or dropped, since too many waited.",
            "result",
        )
        self.leader = made.gauge(
            "slipway_leader", "Whether this replica acts (1) or stands by (0)."
        )
        made.gauge("slipway_build_info", "Always 1, with the version.", "version").labels(
            __version__
        ).set(1)

    @property
    def registry(self) -> CollectorRegistry:
        """Where all metrics are registered."""
        return self._catalogue.registry

    @property
    def described(self) -> tuple[Described, ...]:
        """What each metric is called and means."""
        return tuple(self._catalogue.described)

    def sampled(self, name: str, text: str, labels: Labels, take: Take) -> None:
        """Add a gauge or counter that ``take`` fills at each scrape."""
        self._catalogue.sampled(name, text, labels, take)

    def add_object_gauges(self, objects: Objects) -> None:
        """Add the gauges of each object; ``objects`` gives those of a kind."""
        add_object_gauges(self._catalogue, objects)

    @contextmanager
    def reconciling(self, kind: str) -> Iterator[None]:
        """Measure one reconcile."""
        begun = perf_counter()
        try:
            yield
        finally:
            self.duration.labels(kind).observe(perf_counter() - begun, exemplar())

    def status_written(self, before: Manifest, status: Mapping[str, Any]) -> None:
        """Count what a status says that the one of the object before it did not."""
        if before["kind"] == "TrainingJob":
            self.training.status_written(before, status)
        else:
            self.serving.status_written(before, status)

    def event_told(self, result: str) -> None:
        """Count an event that was posted, refused or dropped."""
        self.events.labels(result).inc()
        if result == "posted":
            self.writes.labels("Event", "create").inc()

    def object_changed(self, before: Manifest | None, after: Manifest | None) -> None:
        """Count what a watched object's new version tells; ``after`` is None once it is gone."""
        if after is not None and after["kind"] == "Pod":
            self.serving.pod_changed(before, after)
        elif after is None and before is not None and before["kind"] == "ModelDeployment":
            self.serving.forget(before)
