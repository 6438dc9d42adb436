"""The clocks of a job's life: running time, waiting time, time without progress."""

import math
from typing import Any

import pytest

from slipway.api.training.status import Progress
from slipway.plan import StoreState
from tests.unit.training.simulation import START, Cluster, condition, spec, underway

REPORT = START.timestamp()


def deadline(cluster: Cluster) -> Any:
    job = cluster.job()
    assert job
    return job["spec"].get("activeDeadlineSeconds")


def suspend(cluster: Cluster, seconds: float) -> None:
    """Suspend a job for some seconds, and resume it."""
    cluster.change(suspend=True)
    cluster.settle()
    cluster.wait(seconds)
    cluster.change(suspend=False)
    cluster.settle()


def test_the_clock_of_the_running_time_stands_while_the_job_is_suspended() -> None:
    cluster = underway(activeDeadlineSeconds=100)
    cluster.wait(40)
    suspend(cluster, 1000)
    assert cluster.status["runTime"]["usedSeconds"] == 40
    assert deadline(cluster) == 60
    cluster.start()
    cluster.settle()
    cluster.wait(50)
    suspend(cluster, 1000)
    assert cluster.status["runTime"]["usedSeconds"] == 90
    assert deadline(cluster) == 10
    cluster.wait(10)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "DeadlineExceeded"
    assert "100 s" in condition(cluster, "Failed")["message"]


def test_the_running_time_is_that_of_all_attempts_together() -> None:
    cluster = underway(activeDeadlineSeconds=100, restart={"maxRestarts": 2})
    cluster.wait(70)
    cluster.finish(cluster.pods()[0], 1)
    cluster.settle()
    assert cluster.status["runTime"]["usedSeconds"] == 70
    assert deadline(cluster) == 30
    cluster.wait(30)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "DeadlineExceeded"


def test_a_deadline_that_is_over_by_the_time_of_the_restart_ends_the_job() -> None:
    cluster = underway(activeDeadlineSeconds=100, restart={"maxRestarts": 2})
    cluster.wait(70)
    cluster.change(activeDeadlineSeconds=60)
    cluster.finish(cluster.pods()[0], 1)
    cluster.control()
    cluster.control()
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "DeadlineExceeded"
    assert cluster.pods() == []


def test_a_deadline_that_is_over_during_a_suspension_ends_the_job_when_it_is_resumed() -> None:
    cluster = underway(activeDeadlineSeconds=100)
    cluster.wait(70)
    cluster.change(suspend=True)
    cluster.settle()
    cluster.change(activeDeadlineSeconds=50)
    cluster.settle()
    assert cluster.status["phase"] == "Suspended"
    cluster.change(suspend=False)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "DeadlineExceeded"


def test_a_job_that_waits_too_long_ends_with_what_it_waited_for() -> None:
    cluster = Cluster(spec(nodes=2, queueDeadlineSeconds=60))
    cluster.settle()
    cluster.pods()[0]["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available",
            }
        ],
    }
    cluster.settle()
    assert condition(cluster, "Queued")["reason"] == "Unschedulable"
    assert cluster.reconcile().requeue_after == 30
    cluster.wait(60)
    cluster.settle()
    found = condition(cluster, "Failed")
    assert found["reason"] == "QueueDeadlineExceeded"
    assert "0/1 nodes are available" in found["message"]
    assert cluster.job() is None


def test_a_source_that_never_comes_ends_a_job_whose_waiting_is_bounded() -> None:
    cluster = Cluster(spec(queueDeadlineSeconds=60), source_keys=None)
    cluster.settle()
    cluster.wait(60)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "QueueDeadlineExceeded"
    assert condition(cluster, "Created")["status"] == "False"


def test_the_end_of_the_waiting_time_is_planned_with_its_begin() -> None:
    cluster = Cluster(spec(queueDeadlineSeconds=60))
    cluster.reconcile()
    cluster.control()
    assert cluster.reconcile().requeue_after == 60


def test_an_end_is_looked_at_again_at_once_to_stop_what_still_runs() -> None:
    cluster = underway(progressDeadlineSeconds=60)
    cluster.wait(60)
    assert cluster.reconcile().requeue_after == 0
    assert cluster.status["phase"] == "Failed"
    cluster.reconcile()
    assert cluster.job() is None


def test_the_waiting_time_begins_anew_with_a_resumption() -> None:
    cluster = Cluster(spec(queueDeadlineSeconds=60))
    cluster.settle()
    cluster.wait(50)
    suspend(cluster, 1000)
    cluster.wait(50)
    cluster.settle()
    assert cluster.status["phase"] == "Queued"
    cluster.start()
    cluster.settle()
    cluster.wait(1000)
    cluster.settle()
    assert cluster.status["phase"] == "Running"


def test_a_script_that_reports_nothing_for_too_long_has_failed_by_hanging() -> None:
    cluster = underway(progressDeadlineSeconds=60)
    cluster.progress = Progress(step=3, total_steps=9, last_report_time="2026-01-01T12:00:30Z")
    cluster.settle()
    cluster.wait(89)
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert cluster.reconcile().requeue_after == 1
    cluster.wait(1)
    cluster.settle()
    found = condition(cluster, "Failed")
    assert found["reason"] == "ProgressDeadlineExceeded"
    assert "step 3" in found["message"]
    assert cluster.job() is None


def test_a_hang_is_a_failure_that_restarts_the_group() -> None:
    cluster = underway(nodes=2, progressDeadlineSeconds=60, restart={"maxRestarts": 1})
    cluster.wait(60)
    cluster.settle()
    assert condition(cluster, "Restarting")["reason"] == "ProgressDeadlineExceeded"
    assert "slipway_runtime.report" in condition(cluster, "Restarting")["message"]
    assert len(cluster.pods()) == 2
    cluster.start()
    cluster.settle()
    cluster.wait(59)
    cluster.settle()
    assert cluster.status["phase"] == "Running"


@pytest.mark.parametrize("age", [math.inf, 31.0])
def test_a_script_is_asked_after_its_time_before_it_counts_as_hanging(age: float) -> None:
    cluster = underway(progressDeadlineSeconds=60)
    cluster.progress = Progress(step=3, total_steps=9, last_report_time="2026-01-01T12:00:30Z")
    cluster.settle()
    cluster.wait(120)
    cluster.progress_age = age
    assert cluster.reconcile().requeue_after == 1
    assert cluster.status["phase"] == "Running"
    cluster.progress_age = 30.0
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize("why", ["all steps are done", "a peer has ended", "the store is away"])
def test_storing_the_output_is_no_hang(why: str) -> None:
    cluster = underway(nodes=2, progressDeadlineSeconds=60)
    step = 9 if why == "all steps are done" else 3
    cluster.progress = Progress(step=step, total_steps=9, last_report_time="2026-01-01T12:00:00Z")
    if why == "a peer has ended":
        cluster.finish(cluster.pods()[1], 0)
    if why == "the store is away":
        cluster.store = StoreState(reachable=False)
    cluster.settle()
    cluster.wait(1000)
    cluster.settle()
    assert cluster.status["phase"] == "Running"
