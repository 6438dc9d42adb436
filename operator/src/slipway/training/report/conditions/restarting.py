"""The condition Restarting: true from the decision to restart the group until it runs again."""

from slipway.api import TrainingJob, find
from slipway.training import reasons
from slipway.training.outcome import Finding


def restarting(job: TrainingJob, findings: dict[str, Finding]) -> Finding | None:
    """Return the condition that follows from the others found now; None before any restart."""
    before = find(job.status.conditions, reasons.RESTARTING)
    if before is None:
        return None
    if reasons.FAILED in findings:
        return Finding(reasons.RESTARTING, False, reasons.RUN_FAILED, "The job has failed.")
    running = findings.get(reasons.RUNNING)
    if reasons.PACKAGED in findings or (running and running.reason == reasons.COMPLETED):
        return Finding(reasons.RESTARTING, False, reasons.COMPLETED, "The training is done.")
    if before.status != "True" or (running and running.status):
        again = "The group runs again."
        return Finding(reasons.RESTARTING, False, reasons.RESTARTED, again)
    return Finding(reasons.RESTARTING, True, before.reason, before.message)
