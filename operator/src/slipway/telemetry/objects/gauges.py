"""Gauges of each TrainingJob and ModelDeployment, read from what is watched when it changed.

Only the replica that leads shows them, so that sums over replicas count each object once. Their
series end with the objects.
"""

from collections.abc import Callable, Iterator

from slipway.plan import Manifest
from slipway.telemetry.catalogue import Catalogue
from slipway.telemetry.objects import reading
from slipway.telemetry.objects.encoded import ObjectGauge, ObjectSamples, Values
from slipway.telemetry.objects.reading import Status, moment, number, status_of
from slipway.telemetry.objects.serving import ANALYSES, rollout_of, strategy_of
from slipway.telemetry.objects.training import restarts


def _one(value: float | None) -> Values:
    return [((), value)]


def _progress(field: str) -> Callable[[Manifest], Values]:
    def read(job: Manifest) -> Values:
        return _one(number((status_of(job).get("progress") or {}).get(field)))

    return read


def _conditions(obj: Manifest) -> Values:
    for each in reading.conditions_of(status_of(obj)):
        yield (each["type"], each["reason"]), float(each["status"] == "True")


def _nodes(job: Manifest) -> Values:
    nodes = status_of(job).get("nodes") or {}
    for state in ("desired", "active", "ready"):
        yield (state,), number(nodes.get(state))


def _percent(job: Manifest) -> Values:
    percent = number((status_of(job).get("progress") or {}).get("percent"))
    return _one(None if percent is None else percent / 100)


def _last_report(job: Manifest) -> Values:
    return _one(moment((status_of(job).get("progress") or {}).get("lastReportTime")))


def _last_checkpoint(job: Manifest) -> Values:
    checkpoint = (status_of(job).get("progress") or {}).get("checkpoint") or {}
    return _one(moment(checkpoint.get("time")))


TRAINING: tuple[ObjectGauge, ...] = (
    ObjectGauge(
        "slipway_training_job_phase",
        "Always 1, with the job's phase.",
        ("phase",),
        lambda job: [((status_of(job).get("phase", "Pending"),), 1.0)],
    ),
    ObjectGauge(
        "slipway_training_job_condition",
        "Whether a condition of the job is true (1), with its reason.",
        ("condition", "reason"),
        _conditions,
    ),
    ObjectGauge(
        "slipway_training_job_nodes",
        "Pods of the job by state: desired, active, ready.",
        ("state",),
        _nodes,
    ),
    ObjectGauge(
        "slipway_training_job_restarts",
        "How often the job's whole group was restarted.",
        (),
        lambda job: _one(float(restarts(status_of(job)))),
    ),
    ObjectGauge(
        "slipway_training_job_created_timestamp_seconds",
        "When the job was made, in seconds since 1970.",
        (),
        lambda job: _one(reading.created(job)),
    ),
    ObjectGauge(
        "slipway_training_job_progress_ratio",
        "Share of the steps done, 0 to 1, where the script says how many there are.",
        (),
        _percent,
    ),
    ObjectGauge(
        "slipway_training_job_eta_seconds",
        "Time that the training still takes at its present pace.",
        (),
        _progress("etaSeconds"),
    ),
    ObjectGauge(
        "slipway_training_job_last_report_timestamp_seconds",
        "When the script last reported progress, in seconds since 1970.",
        (),
        _last_report,
    ),
    ObjectGauge(
        "slipway_training_job_last_checkpoint_timestamp_seconds",
        "When the job's last checkpoint was complete in the store, in seconds since 1970.",
        (),
        _last_checkpoint,
    ),
)


def _replicas(deployment: Manifest) -> Values:
    status, spec = status_of(deployment), deployment.get("spec") or {}
    if not spec.get("autoscaling"):
        yield ("desired",), number(spec.get("replicas", 1))
    yield ("total",), number(status.get("replicas"))
    yield ("updated",), number(status.get("updatedReplicas"))
    yield ("ready",), number(status.get("readyReplicas"))


def _rollout(deployment: Manifest) -> Status:
    return rollout_of(status_of(deployment))


def _candidate(deployment: Manifest) -> Status:
    return _rollout(deployment).get("candidate") or {}


def _analyses(deployment: Manifest) -> Iterator[tuple[str, Status]]:
    for name, field in ANALYSES.items():
        if found := _candidate(deployment).get(field):
            yield name, found


def _analysis_phase(deployment: Manifest) -> Values:
    return [((name, found["phase"]), 1.0) for name, found in _analyses(deployment)]


def _measured(deployment: Manifest) -> Values:
    for name, found in _analyses(deployment):
        for each in found.get("measurements") or ():
            yield (name, each["name"], "candidate"), number(each.get("value"))
            yield (name, each["name"], "stable"), number(each.get("stableValue"))


def _weights(deployment: Manifest) -> Values:
    rollout, candidate = _rollout(deployment), _candidate(deployment)
    stable = rollout.get("stableRevision") or status_of(deployment).get("revision")
    if stable:
        yield (stable, "stable"), (number(rollout.get("stableWeight", 100)) or 0.0) / 100
    if candidate:
        role = "shadow" if candidate.get("mirror") else "candidate"
        yield (candidate["revision"], role), (number(candidate.get("weight")) or 0.0) / 100


def _step(field: str) -> Callable[[Manifest], Values]:
    def read(deployment: Manifest) -> Values:
        return _one(number(_candidate(deployment).get(field)))

    return read


def _phase(deployment: Manifest) -> Values:
    phase = _rollout(deployment).get("phase")
    return [((strategy_of(deployment), phase), 1.0)] if phase else []


SERVING: tuple[ObjectGauge, ...] = (
    ObjectGauge(
        "slipway_model_deployment_condition",
        "Whether a condition of the deployment is true (1), with its reason.",
        ("condition", "reason"),
        _conditions,
    ),
    ObjectGauge(
        "slipway_model_deployment_replicas",
        "Pods of the deployment by state: desired (where nothing scales it), total, updated, "
        "ready.",
        ("state",),
        _replicas,
    ),
    ObjectGauge(
        "slipway_rollout_weight_ratio",
        "Share of the users' requests that a revision gets, 0 to 1, with its role: stable, "
        "candidate, or shadow, which gets copies and answers nobody.",
        ("revision", "role"),
        _weights,
    ),
    ObjectGauge(
        "slipway_rollout_phase",
        "Always 1, with the strategy and the phase of the deployment's rollout.",
        ("strategy", "phase"),
        _phase,
    ),
    ObjectGauge(
        "slipway_analysis_phase",
        "Always 1, with the phase of an analysis (step or background) of the candidate.",
        ("analysis", "phase"),
        _analysis_phase,
    ),
    ObjectGauge(
        "slipway_analysis_value",
        "What a metric of an analysis last was, by role: candidate or stable.",
        ("analysis", "metric", "role"),
        _measured,
    ),
    ObjectGauge(
        "slipway_rollout_step",
        "Index of the step that the deployment's rollout is at, from 0.",
        (),
        _step("step"),
    ),
    ObjectGauge("slipway_rollout_steps", "Number of the rollout's steps.", (), _step("steps")),
)


def object_samples(made: Catalogue) -> dict[str, ObjectSamples]:
    """Describe the gauges of both kinds, and return where their samples are kept, by kind."""
    found: dict[str, ObjectSamples] = {}
    for kind, label, gauges in (
        ("TrainingJob", "training_job", TRAINING),
        ("ModelDeployment", "deployment", SERVING),
    ):
        for gauge in gauges:
            made.describe(gauge.name, "gauge", ("namespace", label, *gauge.labels), gauge.text)
        found[kind] = ObjectSamples(gauges, label)
    return found
