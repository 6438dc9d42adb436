"""The stage between creation and end: the training Job lives, and its pods start, run or retry."""

from slipway.api import TrainingJob
from slipway.plan import PROBLEM_SECONDS, StoreState
from slipway.settings import Settings
from slipway.training import reasons, suspension
from slipway.training.changes import training_changes
from slipway.training.creation import support
from slipway.training.failure import first_failure
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.step import Finding, Step, kept
from slipway.training.view import JobView
from slipway.training.waiting import first_problem, missing_source


def run(snapshot: TrainingSnapshot, live: JobView, settings: Settings) -> Step:
    """Follow a live training Job; keep its Service, its Secret and its mutable fields in place."""
    job, running = snapshot.job, _running(snapshot, live)
    return Step(
        findings=(created(), running, *suspension.of(live, job.status)),
        apply=() if live.deleting else support(job, settings),
        patch=training_changes(job, live),
        requeue_after=_look_again(running, settings),
    )


def _look_again(running: Finding, settings: Settings) -> float | None:
    """Return when progress is read next, or what keeps the pods from starting may be mended."""
    if running.status is True:
        return settings.progress_interval_seconds
    return PROBLEM_SECONDS if running.reason in reasons.PROBLEMS else None


def created() -> Finding:
    """Return the condition of a job whose children are there, or were."""
    return Finding(reasons.CREATED, True, reasons.CHILDREN_CREATED, "The job's children are there.")


def _running(snapshot: TrainingSnapshot, live: JobView) -> Finding:
    """Return the condition Running; where the Job is just turning, what was said last."""
    job = snapshot.job
    if live.deleting:
        return _not(reasons.RECREATING, "The Job was deleted; a new one follows when it is gone.")
    if live.suspended:
        return _not(reasons.SUSPENDED_BY_SPEC, "The pods are stopped.")
    waiting = _not(reasons.WAITING_FOR_PODS, f"Waiting for {job.spec.nodes} pod(s) to start.")
    if live.spec.get("suspend") or live.condition("FailureTarget"):
        return kept(job.status, reasons.RUNNING, waiting)
    if _started(live) >= frozenset(range(job.spec.nodes)):
        return _all_started(snapshot.store)
    return _problem(snapshot, live) or _retry(job, live) or waiting


def _all_started(store: StoreState) -> Finding:
    """Return the condition of a group that runs; a store that is away delays only its end."""
    if store.reachable:
        return Finding(reasons.RUNNING, True, reasons.ALL_PODS_RUNNING, "All pods have started.")
    message = (
        "All pods have started, but the artifact store is unavailable: the training goes on, and "
        f"its output waits until the store answers. {store.message}".strip()
    )
    return Finding(reasons.RUNNING, True, reasons.STORE_UNAVAILABLE, message)


def _not(reason: str, message: str) -> Finding:
    return Finding(reasons.RUNNING, False, reason, message)


def _started(live: JobView) -> frozenset[int]:
    """Return the indexes whose pod runs the script or has ended well."""
    alive = (pod for pod in live.pods if pod.succeeded or (pod.main.running and not pod.deleting))
    return live.completed_indexes | {pod.index for pod in alive}


def _problem(snapshot: TrainingSnapshot, live: JobView) -> Finding | None:
    problem = first_problem(live.pods) or missing_source(snapshot, live.pods)
    return _not(problem.reason, problem.message) if problem else None


def _retry(job: TrainingJob, live: JobView) -> Finding | None:
    """Return the condition while failed pods are replaced, or None where none has failed.

    Where the Job allows no more tries it is about to fail, and what was said last is kept.
    """
    failure = first_failure(live.pods)
    if failure is None:
        return None
    retrying = _not(reasons.RESTARTING, f"The group is tried again. {failure.message}")
    if failures(live) > int(live.spec.get("backoffLimit", 0)):
        return kept(job.status, reasons.RUNNING, retrying)
    return retrying


def failures(live: JobView) -> int:
    """Return how many pods have failed by the Job's own count, or by what is seen of them."""
    seen = sum(pod.failed and not pod.disrupted for pod in live.pods)
    return max(live.count("failed"), seen)
