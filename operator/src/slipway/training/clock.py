"""The clock of the running time: it stands while no pods run, and bounds all attempts together.

A Job's own activeDeadlineSeconds begins anew with each resumption and each new Job, so every Job
gets what is left of it.
"""

from datetime import datetime

from slipway.api import TrainingJob, parse_time
from slipway.api.training_attempts import RunTime
from slipway.training import reasons
from slipway.training.failure import Failure
from slipway.training.view import JobView


def advance(before: RunTime, live: JobView | None, now: datetime) -> RunTime:
    """Return the clock after a look at the training Job: a stretch that is over is added up.

    The Job controller takes a Job's startTime away when it suspends it, so the start is kept here.
    A stretch whose end nobody saw, since the next one has begun already, is not counted.
    """
    since = _running_since(live)
    if before.since is None or before.since == since:
        return RunTime(used_seconds=before.used_seconds, since=since)
    begun, end = parse_time(before.since), _end(live, now) if since is None else None
    spent = int((end - begun).total_seconds()) if begun and end else 0
    return RunTime(used_seconds=before.used_seconds + max(0, spent), since=since)


def _running_since(live: JobView | None) -> str | None:
    if live is None or live.finished or live.suspended or live.deleting:
        return None
    started: str | None = live.status.get("startTime")
    return started


def _end(live: JobView | None, now: datetime) -> datetime:
    if live is None:
        return now
    found = live.condition("Complete") or live.condition("Failed") or live.condition("Suspended")
    text = live.status.get("completionTime") or found.get("lastTransitionTime")
    text = text or live.manifest["metadata"].get("deletionTimestamp")
    return parse_time(text) or now


def seconds_left(job: TrainingJob) -> int | None:
    """Return what is left for a Job that is to run now, at least 1; None without a deadline."""
    limit = job.spec.active_deadline_seconds
    return None if limit is None else max(1, limit - job.status.run_time.used_seconds)


def used_up(job: TrainingJob) -> bool:
    """Tell whether no running time is left for another stretch."""
    limit = job.spec.active_deadline_seconds
    return limit is not None and job.status.run_time.used_seconds >= limit


def exceeded(job: TrainingJob) -> Failure:
    """Return why a job ends that has no running time left."""
    seconds = job.spec.active_deadline_seconds
    message = f"The training ran longer than spec.activeDeadlineSeconds, {seconds} s."
    return Failure(reasons.DEADLINE_EXCEEDED, message)
