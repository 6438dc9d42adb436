"""Prometheus metrics of the operator."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry

from slipway import __version__
from slipway.plan import Manifest
from slipway.telemetry.catalogue import Catalogue, Described, Labels, Sample, Take
from slipway.telemetry.objects.encoded import ObjectSamples
from slipway.telemetry.objects.following import Follower, Pauses
from slipway.telemetry.objects.gauges import object_samples
from slipway.telemetry.objects.handling import Handling
from slipway.telemetry.objects.namespaces import LeftNamespaces
from slipway.telemetry.objects.serving import ServingMetrics
from slipway.telemetry.objects.training import TrainingMetrics
from slipway.telemetry.page import page
from slipway.telemetry.trace import exemplar

__all__ = ["Metrics", "Sample"]


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._catalogue = made = Catalogue()
        self._samples: list[ObjectSamples] = []
        self._followers: list[Follower] = []
        self._renewing = asyncio.Lock()
        self.training = TrainingMetrics(made)
        self.serving = ServingMetrics(made)
        self._forgetters: list[Callable[[str], None]] = [
            self.training.forget,
            self.serving.forget_namespace,
        ]
        self._left = LeftNamespaces(self._forget, clock)
        self.reconciles = made.counter(
            "slipway_reconcile_total",
            "Reconciles by the object's kind and how they ended: done, wrote, gone, invalid (the "
            "object cannot be read), refused (by what its author can mend: a quota, a policy), "
            "stalled (by anything else) or error.",
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
        self.skipped = made.counter(
            "slipway_watch_skipped_total",
            "Objects without a name that a watch told of, by kind: they are not taken in.",
            "kind",
        )
        self.unhandled = made.counter(
            "slipway_object_errors_total",
            "Unforeseen errors at one object, by its kind and what failed at it: its watch, the "
            "comparison with what is there, deaths (of its workers) or metrics.",
            *("kind", "part"),
        )
        self.handling = Handling(lambda *labels: self.unhandled.labels(*labels).inc())
        self.removed_objects = made.counter(
            "slipway_store_removed_objects_total",
            "Objects that were removed from the store since the time to keep them was over.",
        )
        self.removed_bytes = made.counter(
            "slipway_store_removed_bytes_total", "The size of these objects, in bytes."
        )
        self.removal_failures = made.counter(
            "slipway_store_removal_failures_total",
            "Attempts to remove what a job stored that did not end, by why: refused by the store, "
            "no answer, or InUse, since another object names it.",
            "reason",
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

    def object_samples(self) -> dict[str, ObjectSamples]:
        """Have the gauges of each object served; return where their samples are kept, by kind."""
        made = object_samples(self._catalogue)
        self._samples.extend(made.values())
        return made

    def follow(self, follower: Follower) -> None:
        """Have a follower renewed before each scrape."""
        self._followers.append(follower)

    def on_namespace_left(self, forget: Callable[[str], None]) -> None:
        """Have ``forget`` called with each namespace that has had no object for a while."""
        self._forgetters.append(forget)

    def namespace_left(self, namespace: str) -> None:
        """Note that a namespace has no object of ours any more."""
        self._left.left(namespace)

    def _forget(self, namespace: str) -> None:
        for forget in self._forgetters:
            forget(namespace)

    async def page(self, accept: str = "") -> AsyncIterator[bytes]:
        """Yield all metrics in the format that an Accept header asks for, in pieces."""
        pauses = Pauses()
        self._left.drop()
        async with self._renewing:
            for follower in self._followers:
                await follower.renew(pauses)
            for samples in self._samples:
                for _ in samples.settle():
                    await pauses.pause()
        async for piece in page(self._catalogue.collectors, self._samples, accept, pauses):
            yield piece

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
        self._left.used(before["metadata"]["namespace"])
        if before["kind"] == "TrainingJob":
            self.training.status_written(before, status)
        else:
            self.serving.status_written(before, status)

    def removed(self, objects: int, size: int, failure: str) -> None:
        """Count what retention removed from the store, and why an attempt did not end."""
        self.removed_objects.inc(objects)
        self.removed_bytes.inc(size)
        if failure:
            self.removal_failures.labels(failure).inc()

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
