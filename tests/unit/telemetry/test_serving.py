"""What a ModelDeployment's statuses and pods add to the counters."""

from itertools import pairwise

from slipway.plan import Manifest
from slipway.telemetry.metrics import Metrics
from tests.unit.telemetry.objects import at, deployment, server_pod, value


def cold_starts(metrics: Metrics, what: str) -> float | None:
    name = f"slipway_model_cold_start_seconds_{what}"
    return value(metrics, name, namespace="ml", deployment="model")


def test_a_cold_start_is_measured_from_the_pods_creation() -> None:
    metrics = Metrics()
    metrics.object_changed(server_pod(None), server_pod("12:00:42"))
    assert cold_starts(metrics, "sum") == 42


def test_a_pod_that_is_ready_again_is_not_counted_again() -> None:
    metrics = Metrics()
    metrics.object_changed(server_pod(None), server_pod("12:00:42"))
    metrics.object_changed(server_pod("12:00:42"), server_pod(None))
    metrics.object_changed(server_pod(None), server_pod("12:30:00"))
    assert cold_starts(metrics, "count") == 1


def test_a_pod_that_was_ready_before_it_was_first_seen_is_not_counted() -> None:
    metrics = Metrics()
    metrics.object_changed(None, server_pod("12:00:42"))
    assert cold_starts(metrics, "count") is None


def test_the_series_of_a_deployment_end_with_it() -> None:
    metrics = Metrics()
    metrics.object_changed(server_pod(None), server_pod("12:00:42"))
    metrics.object_changed(deployment(), None)
    assert cold_starts(metrics, "count") is None


def told(**reasons: str) -> Manifest:
    """Return a deployment with a reason for each type of condition."""
    return deployment(*({"type": name, "reason": reason} for name, reason in reasons.items()))


def test_an_archive_that_is_refused_is_counted_once_by_its_reason() -> None:
    metrics, name = Metrics(), "slipway_models_refused_total"
    labels = {"namespace": "ml", "reason": "SignatureInvalid"}
    steps = [
        told(ModelReady="Resolved", Progressing="RollingOut"),
        told(ModelReady="SignatureInvalid", Progressing="SignatureInvalid"),
        told(ModelReady="Resolved", Progressing="SignatureInvalid"),  # it was rolled back
        told(ModelReady="Resolved", Progressing="RolloutComplete"),
        told(ModelReady="AccessDenied", Progressing="AccessDenied"),
    ]
    for before, after in pairwise(steps):
        metrics.status_written(before, after["status"])
    assert value(metrics, name, **labels) == 1
    assert value(metrics, name, namespace="ml", reason="AccessDenied") is None
    metrics.status_written(steps[0], steps[1]["status"])
    assert value(metrics, name, **labels) == 2


def ended(outcome: str, reason: str = "") -> Manifest:
    return {
        "revision": "new",
        "outcome": outcome,
        "reason": reason,
        "startedAt": at("12:00:00"),
        "finishedAt": at("12:01:00"),
    }


def written(before: Manifest, after: Manifest) -> Metrics:
    metrics = Metrics()
    metrics.status_written(deployment(rollout=before), deployment(rollout=after)["status"])
    return metrics


def test_a_rollout_is_measured_by_how_it_ended() -> None:
    for outcome in ("Promoted", "RolledBack", "Superseded"):
        metrics = written({"history": []}, {"history": [ended(outcome)]})
        labels = {"namespace": "ml", "strategy": "RollingUpdate", "result": outcome}
        assert value(metrics, "slipway_rollout_duration_seconds_sum", **labels) == 60


def test_a_rollback_is_counted_with_its_reason_and_only_once() -> None:
    entry = ended("RolledBack", "AnalysisFailed")
    labels = {"namespace": "ml", "reason": "AnalysisFailed"}
    metrics = written({"history": []}, {"history": [entry]})
    assert value(metrics, "slipway_rollbacks_total", **labels) == 1
    metrics = written({"history": [entry]}, {"history": [entry]})
    assert value(metrics, "slipway_rollbacks_total", **labels) is None


def analysis(phase: str, clock: str, verdict: str) -> Manifest:
    measured = {"phase": phase, "lastMeasurementTime": at(clock)}
    return {"candidate": {"analysis": {**measured, "measurements": [{"verdict": verdict}]}}}


def test_measurements_and_the_verdict_are_counted() -> None:
    before = analysis("Running", "12:00:00", "Successful")
    metrics = written(before, analysis("Failed", "12:01:00", "Failed"))
    labels = {"namespace": "ml", "verdict": "Failed"}
    assert value(metrics, "slipway_analysis_measurements_total", **labels) == 1
    assert value(metrics, "slipway_analysis_verdicts_total", **labels) == 1
    metrics = written(before, before)
    assert value(metrics, "slipway_analysis_measurements_total", **labels) is None


def gated(pod: Manifest, restarts: int = 0, message: str = "") -> Manifest:
    """Return a pod that runs the smoke test, and ended by it where a message says so."""
    env = [{"name": "SLIPWAY_SMOKE_TEST", "value": "/slipway/config/smoke.json"}]
    last = {"terminated": {"message": message}} if message else {}
    state = {"name": "torchserve", "restartCount": restarts, "lastState": last}
    return {
        **pod,
        "spec": {"containers": [{"name": "torchserve", "env": env}]},
        "status": {**pod["status"], "containerStatuses": [state]},
    }


def test_the_smoke_gate_passes_and_fails_pods() -> None:
    metrics, name = Metrics(), "slipway_gate_results_total"
    failed = gated(server_pod(None), 1, '{"reason": "SmokeTestFailed"}')
    metrics.object_changed(gated(server_pod(None)), failed)
    metrics.object_changed(failed, failed)
    metrics.object_changed(failed, gated(server_pod("12:00:42")))
    labels = {"namespace": "ml", "gate": "smoke"}
    assert value(metrics, name, **labels, result="Failed") == 1
    assert value(metrics, name, **labels, result="Passed") == 1
