"""A TrainingJob's phase: one word for its conditions, for the printer column."""

from collections.abc import Sequence

from slipway.api import Condition, find, is_true
from slipway.api.training.status import TrainingPhase
from slipway.training import reasons


def phase_of(conditions: Sequence[Condition]) -> TrainingPhase:
    """Return the phase that the conditions add up to; what ends a job comes first."""
    if is_true(conditions, reasons.FAILED):
        return "Failed"
    if is_true(conditions, reasons.SUCCEEDED):
        return "Succeeded"
    if is_true(conditions, reasons.SUSPENDED):
        return "Suspended"
    if find(conditions, reasons.PACKAGED):
        return "Packaging"
    if is_true(conditions, reasons.RESTARTING):
        return "Restarting"
    if is_true(conditions, reasons.RUNNING):
        return "Running"
    created = is_true(conditions, reasons.CREATED)
    return "Queued" if created and is_true(conditions, reasons.QUEUED) else "Pending"


def reason_of(conditions: Sequence[Condition]) -> str | None:
    """Return the reason of the condition that the phase follows from; None before the first."""
    for type_ in (reasons.FAILED, reasons.SUCCEEDED, reasons.SUSPENDED):
        if is_true(conditions, type_):
            return _reason(conditions, type_)
    packaged = _reason(conditions, reasons.PACKAGED)
    restarting = is_true(conditions, reasons.RESTARTING)
    return (
        packaged
        or (_reason(conditions, reasons.RESTARTING) if restarting else None)
        or _reason(conditions, reasons.RUNNING)
        or _reason(conditions, reasons.CREATED)
    )


def _reason(conditions: Sequence[Condition], type_: str) -> str | None:
    condition = find(conditions, type_)
    return condition.reason if condition else None


def is_finished(conditions: Sequence[Condition]) -> bool:
    """Tell whether the job has ended, for good."""
    return is_true(conditions, reasons.FAILED) or is_true(conditions, reasons.SUCCEEDED)
