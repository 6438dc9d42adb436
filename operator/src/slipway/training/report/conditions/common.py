"""The conditions that several stages of a job's life set alike."""

from slipway.training import reasons
from slipway.training.outcome import Finding


def created() -> Finding:
    """Return the condition of a job whose children are there, or were."""
    return Finding(reasons.CREATED, True, reasons.CHILDREN_CREATED, "The job's children are there.")


def not_running(reason: str, message: str) -> Finding:
    """Return the condition Running of a group that does not run."""
    return Finding(reasons.RUNNING, False, reason, message)
