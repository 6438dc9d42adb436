"""What a ModelDeployment's statuses and pods add to the counters."""

from slipway.telemetry.metrics import Metrics
from tests.unit.telemetry.objects import condition, deployment, server_pod, value


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


def test_a_rollout_is_measured_by_how_it_ended() -> None:
    rolling = deployment(condition("Progressing", True, "12:00:00", "RollingOut"))
    for reason, result in (
        ("RolloutComplete", "Succeeded"),
        ("ProgressDeadlineExceeded", "Failed"),
    ):
        metrics = Metrics()
        ended = deployment(condition("Progressing", False, "12:01:00", reason))
        metrics.status_written(rolling, ended["status"])
        labels = {"namespace": "ml", "strategy": "RollingUpdate", "result": result}
        assert value(metrics, "slipway_rollout_duration_seconds_sum", **labels) == 60
