"""Gauges that are read from the cache and the queue when they are scraped."""

from collections import Counter
from collections.abc import Iterable, Iterator

from slipway.controller.queue import WorkQueue
from slipway.kube.cache import Cache
from slipway.kube.resources import MODEL_DEPLOYMENTS, TRAINING_JOBS
from slipway.plan import ObjectRef
from slipway.telemetry.health import WatchHealth
from slipway.telemetry.metrics import Metrics, Sample


def _count(keys: Iterable[tuple[str, ...]]) -> Iterator[Sample]:
    yield from Counter(keys).items()


def jobs_by_phase(cache: Cache) -> Iterator[Sample]:
    """Yield the number of TrainingJobs by namespace and phase."""
    return _count(
        (obj["metadata"]["namespace"], (obj.get("status") or {}).get("phase", "Pending"))
        for obj in cache.of_kind(TRAINING_JOBS.kind)
    )


def deployments_by_condition(cache: Cache) -> Iterator[Sample]:
    """Yield the number of ModelDeployments by namespace, condition and its status."""
    return _count(
        (obj["metadata"]["namespace"], condition["type"], condition["status"])
        for obj in cache.of_kind(MODEL_DEPLOYMENTS.kind)
        for condition in (obj.get("status") or {}).get("conditions") or ()
    )


def add_gauges(
    metrics: Metrics, cache: Cache, queue: WorkQueue[ObjectRef], health: WatchHealth
) -> None:
    """Register the gauges."""
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
        "slipway_training_jobs",
        "TrainingJobs by namespace and phase.",
        ("namespace", "phase"),
        lambda: jobs_by_phase(cache),
    )
    metrics.sampled(
        "slipway_model_deployments",
        "ModelDeployments by namespace, condition and its status.",
        ("namespace", "condition", "status"),
        lambda: deployments_by_condition(cache),
    )
