"""The condition Suspended: true while suspension is in effect, not merely asked for."""

from slipway.api import TrainingJob, find
from slipway.api.training.status import TrainingJobStatus
from slipway.plan import PROBLEM_SECONDS, Delete
from slipway.training import reasons
from slipway.training.observed.jobs import JobView
from slipway.training.outcome import Finding, Outcome
from slipway.training.report.conditions.common import created, not_running


def in_effect() -> Finding:
    """Return the condition of a job whose pods are gone because its spec says so."""
    message = "No pod runs while spec.suspend is true."
    return Finding(reasons.SUSPENDED, True, reasons.SUSPENDED_BY_SPEC, message)


def over(status: TrainingJobStatus) -> tuple[Finding, ...]:
    """Return the condition of a job that is not suspended; none where it never was."""
    if find(status.conditions, reasons.SUSPENDED) is None:
        return ()
    return (Finding(reasons.SUSPENDED, False, reasons.RESUMED, "The job is not suspended."),)


def of(live: JobView, job: TrainingJob) -> tuple[Finding, ...]:
    """Return the condition that follows from a live Job; a queue's holding it back is none."""
    held = live.suspended and not waits_in_queue(live, job)
    return (in_effect(),) if held else over(job.status)


def leave_queue(job: TrainingJob, live: JobView, stuck: tuple[Delete, ...]) -> Outcome:
    """Suspend a job that a queue admits: its Job goes, and with it its place; see `creation`.

    A Job that its queue has admitted would be started again by the queue were it only suspended.
    """
    stopping = "The pods are stopped, and the job's place in its queue is given back."
    findings = (created(), not_running(reasons.SUSPENDED_BY_SPEC, stopping), *over(job.status))
    return Outcome(
        findings=findings, delete=(*live.removal(), *stuck), requeue_after=PROBLEM_SECONDS
    )


def waits_in_queue(live: JobView, job: TrainingJob) -> bool:
    """Tell whether it is the queue, and not the spec, that holds a Job back."""
    queued = job.spec.queue_name is not None and not job.spec.suspend
    return queued and bool(live.spec.get("suspend"))
