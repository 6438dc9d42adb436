"""The stage between creation and end: the training Job lives, and its pods start, run or retry."""

from datetime import datetime

from slipway.api import TrainingJob
from slipway.plan import PROBLEM_SECONDS, StoreState
from slipway.settings import Settings
from slipway.training import reasons
from slipway.training.observed.first_failure import first_failure
from slipway.training.observed.jobs import JobView, failures
from slipway.training.observed.start_problems import (
    first_problem,
    is_fetching,
    missing_source,
    refused,
)
from slipway.training.outcome import Finding, Outcome, kept
from slipway.training.report.conditions import suspension
from slipway.training.report.conditions.common import created, not_running
from slipway.training.report.conditions.container_runs_on import outlasting
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.stages import restart
from slipway.training.stages.creation import support
from slipway.training.stages.live_changes import training_changes


def run(snapshot: TrainingSnapshot, live: JobView, settings: Settings, now: datetime) -> Outcome:
    """Follow a live training Job; keep its Service, its Secret and its mutable fields in place."""
    job, running = snapshot.job, _running(snapshot, live, now)
    ends = live.failing or bool(live.spec.get("suspend"))
    return Outcome(
        findings=(created(), running, *suspension.of(live, job)),
        apply=() if live.deleting else support(job, settings),
        patch=training_changes(snapshot, live),
        delete=restart.stuck(live, settings, now) if ends or live.deleting else (),
        requeue_after=_look_again(running, live, settings),
    )


def _look_again(running: Finding, live: JobView, settings: Settings) -> float | None:
    """Return when progress is read next, or what keeps the pods from starting may be mended."""
    if running.status is True:
        return settings.progress_interval_seconds
    leaving = any(pod.deleting for pod in live.pods)
    waits = live.waits_for_volumes or running.reason in reasons.PROBLEMS
    return PROBLEM_SECONDS if leaving or waits else None


def _running(snapshot: TrainingSnapshot, live: JobView, now: datetime) -> Finding:
    """Return the condition Running; where the Job is just turning, what was said last."""
    job = snapshot.job
    if live.deleting:
        recreating = "The Job was deleted; a new one follows when it is gone."
        return not_running(reasons.RECREATING, recreating)
    if suspension.waits_in_queue(live, job):
        waits = f"Waits until the queue {job.spec.queue_name} admits the job."
        return not_running(reasons.WAITING_FOR_ADMISSION, waits)
    if live.suspended:
        return not_running(reasons.SUSPENDED_BY_SPEC, "The pods are stopped.")
    waiting = not_running(reasons.WAITING_FOR_PODS, _waits_for(job))
    if live.spec.get("suspend") or live.condition("FailureTarget"):
        return kept(job.status, reasons.RUNNING, waiting)
    if len(_started(job, live)) >= job.spec.fewest_nodes:
        return outlasting(live, now) or _all_started(snapshot.store)
    return _problem(snapshot, live) or _retry(job, live) or _fetching(live) or waiting


def _waits_for(job: TrainingJob) -> str:
    return f"Waiting for {job.spec.fewest_nodes} pod(s) to start."


def _all_started(store: StoreState) -> Finding:
    """Return the condition of a group that runs; a store that is away delays only its end."""
    if store.reachable:
        return Finding(reasons.RUNNING, True, reasons.ALL_PODS_RUNNING, "All pods have started.")
    message = (
        "All pods have started, but the artifact store is unavailable: the training goes on, and "
        f"its output waits until the store answers. {store.message}".strip()
    )
    return Finding(reasons.RUNNING, True, reasons.STORE_UNAVAILABLE, message)


def _started(job: TrainingJob, live: JobView) -> frozenset[int]:
    """Return the indexes whose pod runs the script or has ended well.

    A pod that is going counts where its group starts anew for it: that is told as a restart.
    """
    alone = job.spec.restart_policy == "Pod"
    alive = (
        pod
        for pod in live.pods
        if pod.succeeded or (pod.main.running and not (alone and pod.deleting))
    )
    return live.completed_indexes | {pod.index for pod in alive}


def _problem(snapshot: TrainingSnapshot, live: JobView) -> Finding | None:
    problem = (
        first_problem(live.pods) or missing_source(snapshot, live.pods) or refused(snapshot, live)
    )
    return not_running(problem.reason, problem.message) if problem else None


def _fetching(live: JobView) -> Finding | None:
    if not is_fetching(live.pods):
        return None
    message = "The pods fetch their source or inputs; their init containers' logs say how far."
    return not_running(reasons.FETCHING, message)


def _retry(job: TrainingJob, live: JobView) -> Finding | None:
    """Return the condition while failed pods are replaced, or None where none has failed.

    Where the Job allows no more tries it is about to fail, and what was said last is kept.
    """
    failure = first_failure(live.pods)
    if failure is None:
        return None
    retrying = not_running(reasons.RESTARTING, f"A pod is replaced. {failure.message}")
    if failures(live) > int(live.spec.get("backoffLimit", 0)):
        return kept(job.status, reasons.RUNNING, retrying)
    return retrying
