"""Gauges that are read from the cache and the queue when they are scraped."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from slipway.controller.queue import WorkQueue
from slipway.kube.cache import Cache
from slipway.kube.resources import MODEL_DEPLOYMENTS, TRAINING_JOBS
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry import reading
from slipway.telemetry.certificates import Certificates
from slipway.telemetry.gpus import GpuMeter
from slipway.telemetry.health import WatchHealth
from slipway.telemetry.metrics import Metrics, Sample

Objects = Callable[[str], Iterable[Manifest]]


@dataclass(frozen=True)
class Sources:
    """What the gauges are read from. ``leading`` tells whether this replica acts.

    What is there in the cluster is shown by the replica that leads alone.
    """

    cache: Cache
    queue: WorkQueue[ObjectRef]
    health: WatchHealth
    leading: Callable[[], bool]
    certificates: Certificates = field(default_factory=Certificates)

    def objects(self, kind: str) -> Iterable[Manifest]:
        """Return all objects of a kind; none while this replica stands by."""
        return self.cache.of_kind(kind) if self.leading() else ()


def _count(keys: Iterable[tuple[str, ...]]) -> Iterator[Sample]:
    yield from Counter(keys).items()


def jobs_by_phase(objects: Objects) -> Iterator[Sample]:
    """Yield the number of TrainingJobs by namespace and phase."""
    return _count(
        (reading.namespace_of(obj), reading.status_of(obj).get("phase", "Pending"))
        for obj in objects(TRAINING_JOBS.kind)
    )


def deployments_by_condition(objects: Objects) -> Iterator[Sample]:
    """Yield the number of ModelDeployments by namespace, condition and its status."""
    return _count(
        (reading.namespace_of(obj), condition["type"], condition["status"])
        for obj in objects(MODEL_DEPLOYMENTS.kind)
        for condition in reading.conditions_of(reading.status_of(obj))
    )


def add_gauges(metrics: Metrics, sources: Sources) -> None:
    """Register the gauges."""
    _add_own(metrics, sources)
    _add_cluster(metrics, sources)
    metrics.add_object_gauges(sources.objects)


def _add_own(metrics: Metrics, sources: Sources) -> None:
    """Register the gauges of this replica's own state."""
    queue, cache, health = sources.queue, sources.cache, sources.health
    metrics.sampled(
        "slipway_workqueue_depth", "Keys ready to be worked on.", (), lambda: [((), len(queue))]
    )
    metrics.sampled(
        "slipway_workqueue_active", "Keys being worked on.", (), lambda: [((), queue.active)]
    )
    metrics.sampled(
        "slipway_cached_objects", "Objects that are watched.", (), lambda: [((), len(cache))]
    )
    metrics.sampled(
        "slipway_watch_age_seconds",
        "Seconds since the API server last answered a watch of this collection.",
        ("path",),
        lambda: (((path,), age) for path, age in health.ages().items()),
    )
    metrics.sampled(
        "slipway_certificate_expiry_timestamp_seconds",
        "When a certificate that the operator depends on runs out, in seconds since 1970.",
        ("certificate",),
        sources.certificates.samples,
    )


def _add_cluster(metrics: Metrics, sources: Sources) -> None:
    """Register the gauges that sum up what there is in the cluster."""
    gpus = GpuMeter(lambda: sources.objects("Pod"))
    metrics.sampled(
        "slipway_training_jobs",
        "TrainingJobs by namespace and phase.",
        ("namespace", "phase"),
        lambda: jobs_by_phase(sources.objects),
    )
    metrics.sampled(
        "slipway_model_deployments",
        "ModelDeployments by namespace, condition and its status.",
        ("namespace", "condition", "status"),
        lambda: deployments_by_condition(sources.objects),
    )
    metrics.sampled(
        "slipway_gpus",
        "GPUs held by pods, by namespace and component: trainer, packager or server.",
        ("namespace", "component"),
        gpus.present,
    )
    metrics.sampled(
        "slipway_gpu_seconds_total",
        "GPU seconds held by pods, by namespace and component.",
        ("namespace", "component"),
        gpus.seconds,
    )
