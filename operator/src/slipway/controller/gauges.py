"""Gauges that are read from the cache and the queue when they are scraped."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.resources import MODEL_DEPLOYMENTS, TRAINING_JOBS
from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry import memory
from slipway.telemetry.certificates import Certificates
from slipway.telemetry.health import WatchHealth
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.objects import reading
from slipway.telemetry.objects.following import Follower, Listener, Tally, Version
from slipway.telemetry.objects.gpus import GpuMeter, held_by


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

    def versions(self, kind: str) -> Iterable[Version]:
        """Return all objects' versions of a kind; none while this replica stands by."""
        return self.cache.uids(kind) if self.leading() else ()

    def get(self, ref: ObjectRef) -> Manifest | None:
        """Return an object that is there."""
        return self.cache.get(ref)


def phase_of(job: Manifest) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield a TrainingJob's namespace and phase, once."""
    yield (reading.namespace_of(job), reading.status_of(job).get("phase", "Pending")), 1


def conditions_of(deployment: Manifest) -> Iterator[tuple[tuple[str, str, str], int]]:
    """Yield a ModelDeployment's namespace, and each condition with its status, once."""
    for condition in reading.conditions_of(reading.status_of(deployment)):
        yield (reading.namespace_of(deployment), condition["type"], condition["status"]), 1


def add_gauges(metrics: Metrics, sources: Sources, *, each_object: bool = True) -> None:
    """Register the gauges; those of single objects only with ``each_object``."""
    _add_own(metrics, sources)
    jobs, deployments, gpus = Tally(phase_of), Tally(conditions_of), Tally(held_by)
    _add_cluster(metrics, jobs, deployments, gpus)
    samples = metrics.object_samples() if each_object else {}
    followed: tuple[tuple[str, Tally[Any]], ...] = (
        (TRAINING_JOBS.kind, jobs),
        (MODEL_DEPLOYMENTS.kind, deployments),
        ("Pod", gpus),
    )
    for kind, tally in followed:
        listeners: list[Listener] = [tally, *([samples[kind]] if kind in samples else [])]
        versions = partial(sources.versions, kind)
        metrics.follow(Follower(versions, sources.get, listeners, metrics.handling))


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
        "slipway_outlined_objects",
        "Objects for which nothing is done, as their namespace takes all the memory that it may.",
        ("namespace",),
        lambda: (((namespace,), count) for namespace, count in cache.room.outlines()),
    )
    metrics.sampled(
        "slipway_memory_limit_bytes",
        "Memory limit of the operator's container; absent where there is none.",
        (),
        memory.samples,
    )
    metrics.sampled(
        "slipway_watch_age_seconds",
        "Seconds since the API server last answered a watch of this collection, or since the start "
        "where it never has.",
        ("path",),
        lambda: (((path,), age) for path, age in health.ages().items()),
    )
    metrics.sampled(
        "slipway_certificate_expiry_timestamp_seconds",
        "When a certificate that the operator depends on runs out, in seconds since 1970.",
        ("certificate",),
        sources.certificates.samples,
    )


def _add_cluster(
    metrics: Metrics,
    jobs: Tally[tuple[str, str]],
    deployments: Tally[tuple[str, str, str]],
    gpus: Tally[tuple[str, str]],
) -> None:
    """Register the gauges that sum up what there is in the cluster."""
    meter = GpuMeter(gpus.sums)
    metrics.on_namespace_left(meter.forget)
    metrics.sampled(
        "slipway_training_jobs",
        "TrainingJobs by namespace and phase.",
        ("namespace", "phase"),
        lambda: jobs.sums().items(),
    )
    metrics.sampled(
        "slipway_model_deployments",
        "ModelDeployments by namespace, condition and its status.",
        ("namespace", "condition", "status"),
        lambda: deployments.sums().items(),
    )
    metrics.sampled(
        "slipway_gpus",
        "GPUs held by pods, by namespace and component: trainer, packager or server.",
        ("namespace", "component"),
        meter.present,
    )
    metrics.sampled(
        "slipway_gpu_seconds_total",
        "GPU seconds held by pods, by namespace and component.",
        ("namespace", "component"),
        meter.seconds,
    )
