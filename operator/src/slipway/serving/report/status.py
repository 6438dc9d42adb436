"""The status of a ModelDeployment: conditions, counts and where the model is reached."""

from dataclasses import dataclass

from slipway.api import Condition, Conditions, ModelDeployment
from slipway.api.serving.deployment import ModelDeploymentStatus
from slipway.api.serving.model_status import ModelStatus
from slipway.api.serving.rollout_status import Candidate, RolloutStatus
from slipway.api.serving.server import ServerStatus
from slipway.serving import reasons
from slipway.serving.children import names
from slipway.serving.children.pod.in_force import in_force
from slipway.serving.children.slots import Slot
from slipway.serving.model.resolution import Resolution, resolved_before
from slipway.serving.observed.deployment_progress import Progress
from slipway.serving.observed.start_problems import Problem
from slipway.serving.requests import ABORT, PROMOTE, Requests
from slipway.serving.rollout.stepping import is_open, waits_for_traffic
from slipway.serving.rollout.take_over import TAKE_OVER_SECONDS


@dataclass(frozen=True)
class Findings:
    """All that the status follows from.

    ``serving`` tells of the slot that serves, ``beside`` of the other one, if there is such.
    ``model`` is the archive of what serves; ``stable_problem`` is why none of its pods is ready
    while another revision is tried beside.
    ``refused``: the ``problem`` is one of the spec, whose pods are not made; what serves stays.
    ``forbidden_address`` says why a Prometheus that an analysis names is not asked, ``release``
    reason and message of what a new release of the operator means here.
    """

    deployment: ModelDeployment
    resolution: Resolution
    state: RolloutStatus
    serving: Progress
    beside: Progress | None
    active: Slot
    model: ModelStatus | None
    problem: Problem | None
    stable_problem: Problem | None
    requests: Requests
    refused: bool = False
    forbidden_address: str | None = None
    release: tuple[str, str] | None = None

    @property
    def none_serves(self) -> bool:
        """Whether a revision is tried beside a stable one of which no pod is ready."""
        candidate = self.state.candidate
        beside = candidate is not None and candidate.slot != self.active.name
        return beside and self.serving.wanted > 0 and self.serving.available == 0


@dataclass(frozen=True)
class _Value:
    holds: bool
    reason: str
    message: str


def set_conditions(findings: Findings, conditions: Conditions) -> None:
    """Set all four conditions, and those that only tell of what is not as it should be."""
    values = {
        reasons.MODEL_READY: _model_ready(findings),
        reasons.PROGRESSING: _progressing(findings),
        reasons.AVAILABLE: _available(findings),
    }
    values[reasons.READY] = _ready(findings, values)
    for type_, value in values.items():
        conditions.set(type_, value.holds, value.reason, value.message)
    if findings.forbidden_address is not None:
        message = findings.forbidden_address
        conditions.set(reasons.ANALYSIS_READY, False, reasons.FORBIDDEN_ADDRESS, message)
    if findings.release is not None:
        conditions.set(reasons.FOLLOWS_RELEASE, False, *findings.release)


def _model_ready(findings: Findings) -> _Value:
    resolution, problem = findings.resolution, findings.problem
    if resolution.model is not None and problem and problem.reason in reasons.ABOUT_THE_MODEL:
        return _Value(False, problem.reason, problem.message)
    return _Value(resolution.model is not None, resolution.reason, resolution.message)


def _progressing(findings: Findings) -> _Value:
    state, problem = findings.state, findings.problem
    candidate = state.candidate
    if findings.resolution.model is None:
        return _Value(False, reasons.WAITING_FOR_MODEL, "There is no archive to roll out yet.")
    if findings.refused and problem:
        return _Value(False, problem.reason, problem.message)
    if state.failed is not None:
        return _Value(False, state.failed.reason, state.failed.message)
    if candidate is not None and (state.phase == "Paused" or waits_for_traffic(candidate)):
        return _paused(candidate, findings)
    if candidate is not None and candidate.steps:
        return _beside(candidate, findings)
    return _in_place(findings)


def _in_place(findings: Findings) -> _Value:
    serving, problem = findings.serving, findings.problem
    if serving.complete and problem is None:
        text = f"All pods are of revision {serving.revision}."
        return _Value(False, reasons.ROLLOUT_COMPLETE, text)
    if serving.stuck:
        limit = findings.deployment.spec.rollout.progress_deadline_seconds
        why = f" {problem.message}" if problem else ""
        text = f"No pod of revision {serving.revision} came up in {limit} s.{why}"
        return _Value(False, reasons.PROGRESS_DEADLINE_EXCEEDED, text)
    if problem:
        return _Value(True, problem.reason, problem.message)
    text = f"Pods of revision {serving.revision} are being made."
    return _Value(True, reasons.ROLLING_OUT, text)


def _beside(candidate: Candidate, findings: Findings) -> _Value:
    """Return how far a revision is that is tried beside the stable one."""
    problem = findings.problem
    if candidate.promoted:
        text = f"Revision {candidate.revision} answers all requests, and is judged by them."
        return _Value(True, reasons.VERIFYING, text)
    if problem:
        return _Value(True, problem.reason, problem.message)
    return _Value(True, reasons.ROLLING_OUT, f"{_where(candidate, findings)}.")


def _where(candidate: Candidate, findings: Findings) -> str:
    """Return how far a candidate is, in words."""
    step = f"step {candidate.ordinal} of {candidate.steps} ({candidate.current})"
    if findings.none_serves:
        return f"No stable pod is ready to send requests to revision {candidate.revision} ({step})"
    share = f"{candidate.weight} % of the requests"
    if candidate.mirror:
        share += ", mirrored,"
    if candidate.matching:
        share += ", and those that match,"
    return f"{share} go to revision {candidate.revision}, which is at {step}"


def _paused(candidate: Candidate, findings: Findings) -> _Value:
    """Return what a rollout waits for."""
    held = f"Revision {candidate.revision} is held"
    where = _where(candidate, findings) if candidate.steps else held
    if findings.requests.paused:
        text = f"{where}: rollout.paused holds it."
        return _Value(True, reasons.PAUSED, text)
    for analysis in (candidate.analysis, candidate.background):
        if is_open(analysis) and analysis is not None:
            text = f"{where}: it cannot be judged. {analysis.message}"
            return _Value(True, reasons.ANALYSIS_INCONCLUSIVE, text)
    ask, meta = f"{candidate.revision}/{candidate.step}", findings.deployment.metadata
    text = (
        f"{where}: write rollout.promote: {ask} to go on, or rollout.abort to go back; or run "
        f"kubectl -n {meta.namespace} annotate --overwrite mdep {meta.name} {PROMOTE}={ask} "
        f"(or {ABORT}={candidate.revision})."
    )
    return _Value(True, reasons.PAUSED, text)


def _available(findings: Findings) -> _Value:
    if findings.serving.available > 0:
        return _Value(True, reasons.PODS_AVAILABLE, "Pods answer predictions.")
    if findings.serving.wanted == 0:
        return _Value(False, reasons.SCALED_TO_ZERO, "spec.replicas is 0: set it to 1 or more.")
    if findings.none_serves:
        return _none_serves(findings)
    return _Value(False, reasons.NO_PODS_AVAILABLE, "No pod answers predictions.")


def _none_serves(findings: Findings) -> _Value:
    """Return why nothing serves though a revision is tried beside, and what ends that."""
    candidate, problem = findings.state.candidate, findings.stable_problem
    why = f" {problem.message}" if problem else ""
    text = (
        f"No pod of the stable revision {findings.serving.revision} answers predictions.{why} "
        f"Revision {candidate.revision if candidate else ''} takes over once it has been ready for "
        f"{TAKE_OVER_SECONDS} s meanwhile, unless rollout.paused is set."
    )
    return _Value(False, problem.reason if problem else reasons.NO_PODS_AVAILABLE, text)


def _ready(findings: Findings, values: dict[str, _Value]) -> _Value:
    """Return the summary: the first thing that is amiss, or that all is well."""
    model, progressing = values[reasons.MODEL_READY], values[reasons.PROGRESSING]
    if not model.holds:
        return model
    if findings.none_serves:
        return values[reasons.AVAILABLE]
    if progressing.reason != reasons.ROLLOUT_COMPLETE:
        return _Value(False, progressing.reason, progressing.message)
    available = values[reasons.AVAILABLE]
    if not available.holds:
        return available
    text = f"Predictions are answered at {names.url(findings.deployment)}."
    return _Value(True, reasons.SERVING, text)


def _server(findings: Findings) -> ServerStatus | None:
    model = findings.resolution.model or resolved_before(findings.deployment)
    return in_force(findings.deployment, model) if model else None


def compose(findings: Findings, conditions: list[Condition]) -> ModelDeploymentStatus:
    """Return the whole status; what is served stays known while there is nothing new to serve."""
    deployment, serving, beside = findings.deployment, findings.serving, findings.beside
    resolved = findings.resolution.model or resolved_before(deployment)
    served = findings.model or (deployment.status.model if serving.revision else None)
    tried = (
        findings.state.candidate is not None
        and findings.state.candidate.slot != findings.active.name
    )
    newest = beside if beside is not None and tried else serving
    return ModelDeploymentStatus(
        observed_generation=deployment.metadata.generation,
        conditions=conditions,
        revision=serving.revision,
        model=served.told if served else None,
        resolved_model=resolved.told if resolved else None,
        server=_server(findings),
        url=names.url(deployment) if serving.revision else None,
        replicas=serving.total,
        updated_replicas=newest.updated,
        ready_replicas=serving.available,
        rollout=findings.state if serving.revision else None,
        selector=names.selector_text(deployment, findings.active.track),
    )
