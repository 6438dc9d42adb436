"""The status of a ModelDeployment: conditions, counts and where the model is reached."""

from dataclasses import dataclass

from slipway.api import Condition, Conditions, ModelDeployment
from slipway.api.model_deployment import ModelDeploymentStatus
from slipway.serving import names, reasons
from slipway.serving.model import Resolution
from slipway.serving.problems import Problem
from slipway.serving.progress import Progress
from slipway.serving.slots import Slot


@dataclass(frozen=True)
class Findings:
    """All that the status follows from."""

    deployment: ModelDeployment
    resolution: Resolution
    rollout: Progress
    active: Slot
    problem: Problem | None


@dataclass(frozen=True)
class _Value:
    holds: bool
    reason: str
    message: str


def set_conditions(found: Findings, conditions: Conditions) -> None:
    """Set all four conditions."""
    values = {
        reasons.MODEL_READY: _model_ready(found),
        reasons.PROGRESSING: _progressing(found),
        reasons.AVAILABLE: _available(found),
    }
    values[reasons.READY] = _ready(found, values)
    for type_, value in values.items():
        conditions.set(type_, value.holds, value.reason, value.message)


def _model_ready(found: Findings) -> _Value:
    resolution, problem = found.resolution, found.problem
    if resolution.model is not None and problem and problem.reason in reasons.ABOUT_THE_MODEL:
        return _Value(False, problem.reason, problem.message)
    return _Value(resolution.model is not None, resolution.reason, resolution.message)


def _progressing(found: Findings) -> _Value:
    rollout, problem = found.rollout, found.problem
    if found.resolution.model is None:
        return _Value(False, reasons.WAITING_FOR_MODEL, "There is no archive to roll out yet.")
    if rollout.complete and problem is None:
        text = f"All pods are of revision {rollout.revision}."
        return _Value(False, reasons.ROLLOUT_COMPLETE, text)
    if rollout.stuck:
        limit = found.deployment.spec.rollout.progress_deadline_seconds
        why = f" {problem.message}" if problem else ""
        text = f"No pod of revision {rollout.revision} came up in {limit} s.{why}"
        return _Value(False, reasons.PROGRESS_DEADLINE_EXCEEDED, text)
    if problem:
        return _Value(True, problem.reason, problem.message)
    text = f"Pods of revision {rollout.revision} are being made."
    return _Value(True, reasons.ROLLING_OUT, text)


def _available(found: Findings) -> _Value:
    if found.rollout.available > 0:
        return _Value(True, reasons.PODS_AVAILABLE, "Pods answer predictions.")
    if found.rollout.wanted == 0:
        return _Value(False, reasons.SCALED_TO_ZERO, "spec.replicas is 0: set it to 1 or more.")
    return _Value(False, reasons.NO_PODS_AVAILABLE, "No pod answers predictions.")


def _ready(found: Findings, values: dict[str, _Value]) -> _Value:
    """Return the summary: the first thing that is amiss, or that all is well."""
    model, progressing = values[reasons.MODEL_READY], values[reasons.PROGRESSING]
    if not model.holds:
        return model
    if progressing.reason != reasons.ROLLOUT_COMPLETE:
        return _Value(False, progressing.reason, progressing.message)
    available = values[reasons.AVAILABLE]
    if not available.holds:
        return available
    text = f"Predictions are answered at {names.url(found.deployment)}."
    return _Value(True, reasons.SERVING, text)


def compose(found: Findings, conditions: list[Condition]) -> ModelDeploymentStatus:
    """Return the whole status; what is served stays known while there is nothing new to serve."""
    deployment, rollout = found.deployment, found.rollout
    known = rollout.revision is not None
    return ModelDeploymentStatus(
        observed_generation=deployment.metadata.generation,
        conditions=conditions,
        revision=rollout.revision,
        model=found.resolution.model or deployment.status.model,
        url=names.url(deployment) if known else None,
        replicas=rollout.total,
        updated_replicas=rollout.updated,
        ready_replicas=rollout.available,
        selector=names.selector_text(deployment, found.active.track),
    )
