"""What a TrainingJob's statuses add to the counters."""

from collections.abc import Callable
from typing import Any

import pytest

from slipway.plan import Manifest
from slipway.telemetry.metrics import Metrics
from tests.unit.telemetry.objects import at, condition, job, value
from tests.unit.training.simulation import PACKAGE, Cluster, packaged, spec, trained


def written(before: Manifest, after: Manifest) -> Metrics:
    metrics = Metrics()
    metrics.status_written(before, after["status"])
    return metrics


RUNNING = condition("Running", True, "12:00:40")


def test_the_first_wait_begins_at_the_creation() -> None:
    metrics = written(job(condition("Running", False, "12:00:01")), job(RUNNING))
    assert value(metrics, "slipway_training_queue_wait_seconds_sum", namespace="ml") == 40


def test_a_wait_after_a_restart_begins_when_the_pods_were_lost() -> None:
    lost = job(condition("Running", False, "12:30:00"), startTime="2026-01-01T12:00:00Z")
    back = job(condition("Running", True, "12:30:20"), startTime="2026-01-01T12:00:00Z")
    assert (
        value(written(lost, back), "slipway_training_queue_wait_seconds_sum", namespace="ml") == 20
    )


def test_time_spent_suspended_is_no_waiting() -> None:
    asleep = job(
        condition("Running", False, "12:10:00"),
        condition("Suspended", True, "12:10:00"),
        startTime="2026-01-01T12:00:00Z",
    )
    awake = job(condition("Running", True, "13:00:05"), condition("Suspended", False, "13:00:00"))
    metrics = written(asleep, awake)
    assert value(metrics, "slipway_training_queue_wait_seconds_sum", namespace="ml") == 5


def test_what_is_lost_to_a_restart_is_what_came_after_the_last_checkpoint() -> None:
    saved = {"checkpoint": {"step": 40, "time": at("12:09:00")}}
    clock = {"since": at("12:00:40")}
    failure = {"time": at("12:10:40"), "reason": "PodLost"}
    lost = condition("Running", False, "12:10:45")
    for progress, seconds in ((saved, 100), ({}, 600)):
        before = job(RUNNING, attempt=0, runTime=clock, progress=progress)
        metrics = written(before, job(lost, attempt=1, failure=failure))
        assert value(metrics, "slipway_training_restarts_total", namespace="ml") == 1
        assert value(metrics, "slipway_training_lost_seconds_total", namespace="ml") == seconds


def test_a_run_is_measured_by_how_it_ended() -> None:
    for phase, result in (
        ("Packaging", "Succeeded"),
        ("Failed", "Failed"),
        ("Suspended", "Interrupted"),
    ):
        metrics = written(job(RUNNING), job(condition("Running", False, "12:10:40"), phase=phase))
        ran = value(metrics, "slipway_training_run_seconds_sum", namespace="ml", result=result)
        assert ran == 600, phase


def test_a_status_that_is_written_again_counts_nothing() -> None:
    done = job(condition("Succeeded", True, "12:20:00", "Completed"), phase="Succeeded")
    metrics = written(done, done)
    names = {"namespace": "ml", "result": "Succeeded", "reason": "Completed"}
    assert value(metrics, "slipway_training_jobs_finished_total", **names) is None


@pytest.mark.parametrize("package", [None, PACKAGE])
def test_a_job_that_ends_is_counted_once_however_its_package_changes(package: Any) -> None:
    cluster, metrics = Cluster(spec(package=package)), Metrics()
    names = {"namespace": "default", "result": "Succeeded", "reason": "Completed"}

    def follow(act: Callable[[], object]) -> None:
        before = {**job(), "metadata": {"namespace": "default"}, "status": cluster.status}
        act()
        cluster.settle()
        metrics.status_written(before, cluster.status)

    def change(new: Any) -> Callable[[], object]:
        return lambda: cluster.change(package=new)

    follow(cluster.settle)
    follow(lambda: cluster.finish_all(message=trained()))
    for handler in ("first.py", "second.py"):
        follow(change({**PACKAGE, "handler": handler}))
        follow(lambda: cluster.finish_all("package", packaged()))
        assert cluster.status["phase"] == "Succeeded"
        assert value(metrics, "slipway_training_jobs_finished_total", **names) == 1


def test_a_failure_is_counted_with_its_reason() -> None:
    metrics = written(job(RUNNING), job(condition("Failed", True, "12:20:00", "OutOfMemory")))
    names = {"namespace": "ml", "result": "Failed", "reason": "OutOfMemory"}
    assert value(metrics, "slipway_training_jobs_finished_total", **names) == 1


def test_a_package_is_counted_with_its_size_and_the_time_that_it_took() -> None:
    before = job(condition("Packaged", False, "12:10:00"))
    after = job(condition("Packaged", True, "12:10:30"), package={"sizeBytes": 5_000_000})
    metrics = written(before, after)
    took = {"namespace": "ml", "result": "Succeeded"}
    assert value(metrics, "slipway_packaging_seconds_sum", **took) == 30
    assert value(metrics, "slipway_package_size_bytes_sum", namespace="ml") == 5_000_000


def test_a_job_whose_packaging_fails_counts_as_a_failed_packaging() -> None:
    before = job(condition("Packaged", False, "12:10:00"))
    after = job(condition("Packaged", False, "12:10:00"), condition("Failed", True, "12:11:00"))
    took = {"namespace": "ml", "result": "Failed"}
    assert value(written(before, after), "slipway_packaging_seconds_sum", **took) == 60


def test_a_status_without_anything_is_read_as_far_as_it_goes() -> None:
    metrics = written(job(), {"status": {}})
    assert value(metrics, "slipway_training_queue_wait_seconds_count", namespace="ml") == 0


def test_a_namespaces_series_are_there_before_the_first_count_so_that_increase_sees_it() -> None:
    metrics = written(job(), job(condition("Created", True, "12:00:00")))
    for result in ("Succeeded", "Failed"):
        names = {"namespace": "ml", "result": result}
        assert value(metrics, "slipway_packaging_seconds_count", **names) == 0
        assert value(metrics, "slipway_training_run_seconds_count", **names) == 0
    assert value(metrics, "slipway_training_restarts_total", namespace="ml") == 0


@pytest.mark.parametrize("field", ["package", "rejectedPackage"])
def test_the_gates_of_an_archive_are_counted_once(field: str) -> None:
    gates = [{"verdict": "Failed"}, {"verdict": "Successful"}, {"verdict": "Successful"}]
    after = job(**{field: {"number": 2, "gates": gates}})
    for before, counts in ((job(), (2, 1)), (after, (0, 0))):
        metrics = written(before, after)
        for verdict, count in zip(("Successful", "Failed"), counts, strict=True):
            names = {"namespace": "ml", "verdict": verdict}
            assert value(metrics, "slipway_package_gates_total", **names) == count
