"""A TrainingJob's phase: one word for its conditions, for the printer column."""

from collections.abc import Sequence

from slipway.api import Condition, find, is_true
from slipway.api.training_status import TrainingPhase
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
    return "Running" if is_true(conditions, reasons.RUNNING) else "Pending"


def is_finished(conditions: Sequence[Condition]) -> bool:
    """Tell whether the job has ended, for good."""
    return is_true(conditions, reasons.FAILED) or is_true(conditions, reasons.SUCCEEDED)
