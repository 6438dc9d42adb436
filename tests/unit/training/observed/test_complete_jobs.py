"""A Job has ended well once a pod of each index has, which its controller tells seconds later."""

from typing import Any

import pytest

from slipway.training.observed.jobs import JobView, observed_jobs
from tests.unit.training.simulation import (
    PACKAGE,
    Cluster,
    packaged,
    spec,
    trained,
    training_job,
)


def running(**fields: Any) -> Cluster:
    """Return a cluster whose job trains on two pods."""
    cluster = Cluster(spec(nodes=2, package=PACKAGE, **fields))
    cluster.settle()
    cluster.start()
    cluster.settle()
    return cluster


def training(cluster: Cluster) -> JobView:
    found = observed_jobs(training_job(cluster.spec), cluster.snapshot().children).training
    assert found is not None
    return found


def told_complete(cluster: Cluster, role: str = "train") -> bool:
    """Tell whether the Job controller has said so."""
    job: Any = cluster.job(role)
    return "Complete" in [one["type"] for one in job["status"].get("conditions", ())]


def test_the_way_to_the_archive_does_not_wait_for_the_job_controllers_counts() -> None:
    cluster = running()
    cluster.finish_all(message=trained(step=10, totalSteps=10))
    cluster.reconcile()
    assert not told_complete(cluster)
    assert cluster.job("package") is not None
    assert cluster.status["nodes"]["succeeded"] == 2
    assert cluster.status["output"]["files"] == 2
    cluster.control()
    cluster.start("package")
    cluster.finish_all("package", packaged())
    cluster.reconcile()
    assert not told_complete(cluster, "package")
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["completionTime"] == "2026-01-01T12:00:00Z"


def test_what_the_job_controller_tells_later_changes_nothing() -> None:
    cluster = running()
    cluster.finish_all(message=trained(step=10, totalSteps=10))
    cluster.reconcile()
    cluster.wait(3)
    before, writes = cluster.status, list(cluster.writes)
    cluster.settle()
    assert told_complete(cluster)
    assert (cluster.status, cluster.writes) == (before, writes)


def test_a_pod_that_has_not_ended_is_waited_for() -> None:
    cluster = running()
    first, second = cluster.pods()
    cluster.finish(first, 0, trained())
    assert not training(cluster).complete
    cluster.finish(second, 0)
    second["status"]["phase"] = "Running"  # its sidecar still stops, and may store the output
    assert not training(cluster).complete
    second["status"]["phase"] = "Succeeded"
    assert training(cluster).complete


def test_two_pods_of_one_index_are_not_two_indexes() -> None:
    cluster = running()
    first, second = cluster.pods()
    cluster.finish(first, 0, trained())
    cluster.finish(second, 0)
    for name in ("labels", "annotations"):
        second["metadata"].get(name, {}).update(first["metadata"].get(name, {}))
    assert not training(cluster).complete


@pytest.mark.parametrize("type_", ["FailureTarget", "Failed"])
def test_a_job_that_fails_has_not_ended_well_whatever_its_pods_did(type_: str) -> None:
    cluster = running()
    cluster.finish_all(message=trained())
    job: Any = cluster.job()
    job["status"]["conditions"] = [{"type": type_, "status": "True", "reason": "DeadlineExceeded"}]
    assert not training(cluster).complete


def test_a_job_that_goes_or_is_suspended_is_left_to_its_controller() -> None:
    cluster = running()
    cluster.finish_all(message=trained())
    job: Any = cluster.job()
    job["spec"]["suspend"] = True
    assert not training(cluster).complete
    job["spec"]["suspend"] = False
    assert training(cluster).complete
    job["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert not training(cluster).complete
