"""The condition Suspended: true while suspension is in effect, not merely asked for."""

from slipway.api import find
from slipway.api.training_status import TrainingJobStatus
from slipway.training import reasons
from slipway.training.step import Finding
from slipway.training.view import JobView


def in_effect() -> Finding:
    """Return the condition of a job whose pods are gone because its spec says so."""
    message = "No pod runs while spec.suspend is true."
    return Finding(reasons.SUSPENDED, True, reasons.SUSPENDED_BY_SPEC, message)


def over(status: TrainingJobStatus) -> tuple[Finding, ...]:
    """Return the condition of a job that is not suspended; none where it never was."""
    if find(status.conditions, reasons.SUSPENDED) is None:
        return ()
    return (Finding(reasons.SUSPENDED, False, reasons.RESUMED, "The job is not suspended."),)


def of(live: JobView, status: TrainingJobStatus) -> tuple[Finding, ...]:
    """Return the condition that follows from a live Job."""
    return (in_effect(),) if live.suspended else over(status)
