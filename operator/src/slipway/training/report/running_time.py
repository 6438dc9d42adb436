"""The clock of the running time: it stands while no pods run, and bounds all attempts together.

A Job's own activeDeadlineSeconds begins anew with each resumption and each new Job, so every Job
gets what is left of it.
"""

from datetime import datetime

from slipway.api import TrainingJob, parse_time
from slipway.api.training.attempts import RunTime
from slipway.training import reasons
from slipway.training.children.training_job import seconds_left
from slipway.training.observed.first_failure import Failure
from slipway.training.observed.jobs import JobView

LATE_SECONDS = 10.0
"""A first pod that comes so long after its Job's start was refused before: the clock stood."""


def advance(
    before: RunTime, live: JobView | None, now: datetime, *, refused: bool = False
) -> RunTime:
    """Return the clock after a look at the training Job: a stretch that is over is added up.

    The Job controller takes a Job's startTime away when it suspends it, so the start is kept here.
    A stretch whose end nobody saw, since the next one has begun already, is not counted. While the
    Job's pods are ``refused`` and none ever was, no stretch has begun.
    """
    stands = refused and live is not None and not live.had_pods
    since = None if stands else _running_since(before, live)
    if stands or before.since is None or before.since == since:
        return RunTime(used_seconds=before.used_seconds, since=since)
    begun, end = parse_time(before.since), _end(live, now) if since is None else None
    spent = int((end - begun).total_seconds()) if begun and end else 0
    return RunTime(used_seconds=before.used_seconds + max(0, spent), since=since)


def _running_since(before: RunTime, live: JobView | None) -> str | None:
    """Return when a Job's stretch began: with the Job, or with a first pod that came late."""
    if live is None or live.finished or live.suspended or live.deleting:
        return None
    started: str | None = live.status.get("startTime")
    if started is None or (before.since and before.since >= started):
        return before.since if started else None
    first = min((pod.created for pod in (*live.pods, *live.gone)), default="")
    return first if _seconds(started, first) > LATE_SECONDS else started


def _seconds(start: str | None, end: str | None) -> float:
    """Return how long it is from one time to another; 0 where one of them is not known."""
    begun, over = parse_time(start), parse_time(end)
    return (over - begun).total_seconds() if begun and over else 0.0


def _end(live: JobView | None, now: datetime) -> datetime:
    if live is None:
        return now
    condition = (
        live.condition("Complete") or live.condition("Failed") or live.condition("Suspended")
    )
    text = live.status.get("completionTime") or condition.get("lastTransitionTime")
    text = text or live.manifest["metadata"].get("deletionTimestamp")
    return parse_time(text) or now


def deadline(job: TrainingJob, live: JobView, *, refused: bool) -> int | None:
    """Return the activeDeadlineSeconds of a live Job; None for none.

    Kubernetes counts them from the Job's start, also while it can make no pod: so there is no
    deadline as long as that lasts, and what has passed until the first pod is added to it then.
    """
    left = seconds_left(job)
    if left is None or (refused and not live.had_pods):
        return None
    since = _running_since(job.status.run_time, live)
    return left + max(0, int(_seconds(live.status.get("startTime"), since)))


def used_up(job: TrainingJob) -> bool:
    """Tell whether no running time is left for another stretch."""
    limit = job.spec.active_deadline_seconds
    return limit is not None and job.status.run_time.used_seconds >= limit


def exceeded(job: TrainingJob) -> Failure:
    """Return why a job ends that has no running time left."""
    seconds = job.spec.active_deadline_seconds
    message = f"The training ran longer than spec.activeDeadlineSeconds, {seconds} s."
    return Failure(reasons.DEADLINE_EXCEEDED, message)
