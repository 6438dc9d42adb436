"""What happens to TrainingJobs, counted when it is written to their statuses."""

from collections.abc import Mapping
from typing import Any

from slipway.observed import condition
from slipway.plan import Manifest
from slipway.telemetry.catalogue import LONG, SIZES, Catalogue
from slipway.telemetry.objects import reading
from slipway.telemetry.objects.reading import Status, elapsed, turned

_ENDS = {"Succeeded": "Succeeded", "Packaging": "Succeeded", "Failed": "Failed"}
"""How a run ended, by the phase that followed it; any other phase is Interrupted."""


class TrainingMetrics:
    """Counters and histograms of TrainingJobs, by namespace."""

    def __init__(self, made: Catalogue) -> None:
        self._queued = made.histogram(
            "slipway_training_queue_wait_seconds",
            "Time that a job waited until all its pods ran: after its creation, a restart or a "
            "resume.",
            "namespace",
            buckets=LONG,
        )
        self._ran = made.histogram(
            "slipway_training_run_seconds",
            "Time that a job's pods ran without a break, by how that ended: Succeeded, Failed or "
            "Interrupted (a restart, a suspension).",
            *("namespace", "result"),
            buckets=LONG,
        )
        self._finished = made.counter(
            "slipway_training_jobs_finished_total",
            "Jobs that ended, by result and the reason that their condition gives.",
            *("namespace", "result", "reason"),
        )
        self._restarts = made.counter(
            "slipway_training_restarts_total", "Restarts of whole groups of pods.", "namespace"
        )
        self._lost = made.counter(
            "slipway_training_lost_seconds_total",
            "Running time whose work was lost to restarts: what came after the last checkpoint.",
            "namespace",
        )
        self._packaged = made.histogram(
            "slipway_packaging_seconds",
            "Time from the end of a training to its package, or to the failure to make one.",
            *("namespace", "result"),
            buckets=LONG,
        )
        self._gates = made.counter(
            "slipway_package_gates_total",
            "Gates that archives were judged by, by verdict: Successful or Failed.",
            *("namespace", "verdict"),
        )
        self._size = made.histogram(
            "slipway_package_size_bytes", "Sizes of model archives.", "namespace", buckets=SIZES
        )

    def forget(self, namespace: str) -> None:
        """Drop the series of a namespace that has no object any more."""
        for metric in (
            *(self._queued, self._ran, self._finished, self._restarts),
            *(self._lost, self._packaged, self._size, self._gates),
        ):
            metric.remove_by_labels({"namespace": namespace})

    def status_written(self, before: Manifest, after: Status) -> None:
        """Count what ``after`` says that the status of the object ``before`` did not."""
        old, namespace = reading.status_of(before), reading.namespace_of(before)
        self._begin(namespace)
        self._count_wait(before, after, namespace)
        self._count_run(old, after, namespace)
        self._count_restarts(old, after, namespace)
        self._count_packaging(old, after, namespace)
        self._count_gates(old, after, namespace)
        self._count_end(old, after, namespace)

    def _begin(self, namespace: str) -> None:
        """Let a namespace's series begin at 0, or Prometheus' increase() misses the first count."""
        for metric in (self._queued, self._restarts, self._lost, self._size):
            metric.labels(namespace)
        for result in ("Succeeded", "Failed", "Interrupted"):
            self._ran.labels(namespace, result)
        for result in ("Succeeded", "Failed"):
            self._packaged.labels(namespace, result)
        for verdict in ("Successful", "Failed"):
            self._gates.labels(namespace, verdict)

    def _count_wait(self, before: Manifest, after: Status, namespace: str) -> None:
        old = reading.status_of(before)
        if not reading.became_true(old, after, "Running"):
            return
        since = reading.latest(
            reading.created(before),
            turned(old, "Running", "False") if _has_run(old) else None,
            turned(after, "Suspended", "False"),
        )
        _observe(self._queued.labels(namespace), elapsed(since, turned(after, "Running", "True")))

    def _count_run(self, old: Status, after: Status, namespace: str) -> None:
        if not reading.is_true(old, "Running") or reading.is_true(after, "Running"):
            return
        result = _ENDS.get(str(after.get("phase")), "Interrupted")
        ended = turned(after, "Running", "False") or reading.moment(after.get("completionTime"))
        took = elapsed(turned(old, "Running", "True"), ended)
        _observe(self._ran.labels(namespace, result), took)

    def _count_restarts(self, old: Status, after: Status, namespace: str) -> None:
        new = restarts(after) - restarts(old)
        if new > 0:
            self._restarts.labels(namespace).inc(new)
            self._lost.labels(namespace).inc(lost_seconds(old, after))

    def _count_packaging(self, old: Status, after: Status, namespace: str) -> None:
        packaged = condition(after, "Packaged")
        begun = turned(old, "Packaged", "False")
        stored = reading.became_true(old, after, "Packaged")
        failed = reading.became_true(old, after, "Failed") and begun is not None
        if not (stored or failed):
            return
        ended = turned(after, "Packaged" if stored else "Failed", "True")
        result = "Succeeded" if stored else "Failed"
        _observe(self._packaged.labels(namespace, result), elapsed(begun, ended))
        size = reading.number((after.get("package") or {}).get("sizeBytes"))
        if packaged and stored:
            _observe(self._size.labels(namespace), size)

    def _count_gates(self, old: Status, after: Status, namespace: str) -> None:
        for field in ("package", "rejectedPackage"):
            made, before = after.get(field) or {}, old.get(field) or {}
            if made.get("number") != before.get("number"):
                for gate in made.get("gates") or ():
                    self._gates.labels(namespace, str(gate.get("verdict"))).inc()

    def _count_end(self, old: Status, after: Status, namespace: str) -> None:
        """Count a training once, however often its output is packaged again."""
        if (after.get("packaging") or {}).get("afterEnd"):
            return
        for result in ("Succeeded", "Failed"):
            if reading.became_true(old, after, result):
                reason = str(condition(after, result).get("reason"))
                self._finished.labels(namespace, result, reason).inc()


def restarts(status: Status) -> int:
    """Return how often a job's whole group was restarted, for whatever reason."""
    return int(reading.number(status.get("attempt")) or 0)


def lost_seconds(old: Status, after: Status) -> float:
    """Return the running time after the last checkpoint of an attempt that has failed."""
    run, checkpoint = old.get("runTime") or {}, (old.get("progress") or {}).get("checkpoint") or {}
    begun = reading.moment(run.get("since")) or turned(old, "Running", "True")
    failed = reading.moment((after.get("failure") or {}).get("time"))
    saved = reading.moment(checkpoint.get("time"))
    end = failed or turned(after, "Running", "False")
    return elapsed(reading.latest(begun, saved), end) or 0.0 if begun else 0.0


def _has_run(status: Mapping[str, Any]) -> bool:
    return bool(status.get("startTime"))


def _observe(histogram: Any, value: float | None) -> None:
    if value is not None:
        histogram.observe(value)
