"""The condition Queued: true while the job waits to run, and how long it may wait."""

from datetime import datetime

from slipway.api import TrainingJob, find, parse_time
from slipway.training import reasons
from slipway.training.observed.first_failure import Failure
from slipway.training.outcome import Finding, kept


def queued(job: TrainingJob, findings: dict[str, Finding]) -> Finding | None:
    """Return the condition that follows from the others found now; None before anything is known.

    Where pods are replaced one by one, that does not put a job back into the queue that has run: a
    suspension, a restart of the group and a queue that takes its pods away do.
    """
    if reasons.FAILED in findings:
        return Finding(reasons.QUEUED, False, reasons.RUN_FAILED, "The job has failed.")
    running, created = findings.get(reasons.RUNNING), findings.get(reasons.CREATED)
    said = running or created
    if said is None:
        return None
    if reasons.PACKAGED in findings or said.reason == reasons.COMPLETED:
        return Finding(reasons.QUEUED, False, reasons.COMPLETED, "The training is done.")
    if said.reason == reasons.SUSPENDED_BY_SPEC:
        return Finding(reasons.QUEUED, False, reasons.SUSPENDED_BY_SPEC, said.message)
    started = "All pods have started."
    if said.type == reasons.RUNNING and said.status:
        return Finding(reasons.QUEUED, False, reasons.ALL_PODS_RUNNING, started)
    before = find(job.status.conditions, reasons.QUEUED)
    alone = job.spec.restart_policy == "Pod" and not _waits_anew(findings, said)
    if alone and before and before.reason == reasons.ALL_PODS_RUNNING:
        return Finding(reasons.QUEUED, False, reasons.ALL_PODS_RUNNING, started)
    return Finding(reasons.QUEUED, True, said.reason, said.message)


def before(job: TrainingJob) -> Finding:
    """Return the condition as it was reported last."""
    waits = Finding(reasons.QUEUED, True, reasons.WAITING_FOR_PODS, "The job waits to run.")
    return kept(job.status, reasons.QUEUED, waits)


def _waits_anew(findings: dict[str, Finding], said: Finding) -> bool:
    restarting = findings.get(reasons.RESTARTING)
    return said.reason == reasons.WAITING_FOR_ADMISSION or bool(restarting and restarting.status)


def time_left(job: TrainingJob, waits: Finding, now: datetime) -> float | None:
    """Return how many seconds the job may still wait; None where it does not, or without bound.

    A job of which nothing was ever told, since its Job is refused, waits since it was created.
    """
    limit, before = job.spec.queue_deadline_seconds, find(job.status.conditions, reasons.QUEUED)
    if limit is None or not waits.status:
        return None
    if before is None:
        since = parse_time(job.metadata.creation_timestamp)
    else:
        since = parse_time(before.last_transition_time) if before.status == "True" else None
    return limit - (now - (since or now)).total_seconds()


def overdue(job: TrainingJob, waits: Finding) -> Failure:
    """Return why a job that has waited too long ends."""
    message = (
        f"The job has waited longer than spec.queueDeadlineSeconds, "
        f"{job.spec.queue_deadline_seconds} s. What it waited for: {waits.message}"
    )
    return Failure(reasons.QUEUE_DEADLINE_EXCEEDED, message)
