"""Hang detection: a group that runs and reports no progress for too long."""

from datetime import datetime

from slipway.api import find, parse_time
from slipway.training import reasons
from slipway.training.observed.first_failure import Failure
from slipway.training.observed.jobs import JobView
from slipway.training.snapshot import TrainingSnapshot

_ASK_AGAIN_SECONDS = 1.0


def seconds_left(snapshot: TrainingSnapshot, live: JobView, now: datetime) -> float | None:
    """Return how long the group may go on without a report; None where nothing is to be reported.

    The clock begins when all pods run. It stands still where all steps are done or a pod has ended
    well, since then the output is being stored, and while the store is away. What was last heard
    from the script may be older than the script's last report, by much where the operator was
    away or cannot reach the pod: time is up only once the pod has answered after the time was.
    """
    job = snapshot.job
    limit, running = (
        job.spec.progress_deadline_seconds,
        find(job.status.conditions, reasons.RUNNING),
    )
    if limit is None or running is None or running.status != "True" or _ends(snapshot, live):
        return None
    known = [one for one in (snapshot.progress, job.status.progress) if one]
    moments = [running.last_transition_time, *(one.last_report_time for one in known)]
    last = max(moment for text in moments if (moment := parse_time(text)))
    left = limit - (now - last).total_seconds()
    return left if left > 0 or snapshot.progress_age <= -left else _ASK_AGAIN_SECONDS


def _ends(snapshot: TrainingSnapshot, live: JobView) -> bool:
    now = snapshot.progress or snapshot.job.status.progress
    done = now is not None and now.total_steps is not None and now.step >= now.total_steps
    return done or bool(live.completed_indexes) or not snapshot.store.reachable


def hangs(snapshot: TrainingSnapshot) -> Failure:
    """Return why a group that hangs is ended."""
    job = snapshot.job
    progress = snapshot.progress or job.status.progress
    where = (
        f"The last report was of step {progress.step}."
        if progress
        else ("It has never reported: a script does so by slipway_runtime.report.")
    )
    message = (
        f"The script has reported no progress for spec.progressDeadlineSeconds, "
        f"{job.spec.progress_deadline_seconds} s. {where}"
    )
    return Failure(reasons.PROGRESS_DEADLINE_EXCEEDED, message)
