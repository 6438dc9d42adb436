"""Pods that the API server refuses: told in its own words, and on nobody's clock."""

from datetime import timedelta

from slipway.api import timestamp
from tests.unit.training.simulation import (
    PACKAGE,
    START,
    Cluster,
    condition,
    spec,
    trained,
)

QUOTA = 'pods "quick-0" is forbidden: failed quota: team: must specify limits.cpu for: agent'


def refused(**fields: object) -> Cluster:
    """Return a cluster whose namespace has no room for a job's pods."""
    cluster = Cluster(spec(**fields), refusal=QUOTA)
    cluster.settle()
    return cluster


def test_the_condition_and_the_column_have_the_api_servers_sentence() -> None:
    cluster = refused()
    for type_ in ("Running", "Queued"):
        assert condition(cluster, type_)["reason"] == "PodsRefused"
        assert QUOTA in condition(cluster, type_)["message"]
    assert cluster.status["phase"] == "Queued"
    assert cluster.status["reason"] == "PodsRefused"
    assert ("Warning", "PodsRefused") in [event[:2] for event in cluster.events]


def test_a_quota_without_room_is_a_reason_of_its_own() -> None:
    told = 'pods "quick-0" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4'
    cluster = Cluster(spec(), refusal=told)
    cluster.settle()
    for type_ in ("Running", "Queued"):
        assert condition(cluster, type_)["reason"] == "QuotaExceeded"
        assert told in condition(cluster, type_)["message"]
    assert cluster.status["reason"] == "QuotaExceeded"
    assert ("Warning", "QuotaExceeded") in [event[:2] for event in cluster.events]


def test_the_clock_of_the_running_time_stands_until_the_first_pod_is_made() -> None:
    cluster = refused(activeDeadlineSeconds=100)
    cluster.wait(1000)
    cluster.settle()
    assert condition(cluster, "Running")["reason"] == "PodsRefused"
    cluster.refusal = ""
    cluster.settle()
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    job = cluster.job()
    assert job
    assert job["spec"]["activeDeadlineSeconds"] == 1100
    cluster.wait(99)
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    cluster.wait(1)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "DeadlineExceeded"


def test_a_suspension_later_counts_only_what_ran() -> None:
    cluster = refused(activeDeadlineSeconds=100)
    cluster.wait(1000)
    cluster.refusal = ""
    cluster.settle()
    cluster.start()
    cluster.settle()
    cluster.wait(30)
    cluster.change(suspend=True)
    cluster.settle()
    assert cluster.status["runTime"]["usedSeconds"] == 30


def test_the_time_to_wait_goes_on_meanwhile() -> None:
    cluster = refused(queueDeadlineSeconds=60)
    cluster.wait(61)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "QueueDeadlineExceeded"
    assert QUOTA in condition(cluster, "Failed")["message"]


def test_the_time_to_wait_counts_from_the_beginning_where_the_job_itself_is_refused() -> None:
    cluster = Cluster(spec(queueDeadlineSeconds=15), created=timestamp(START))
    first = cluster.plan()
    assert [one["kind"] for one in first.apply if one["kind"] == "Job"]
    assert first.ends_in == 15
    cluster.now = START + timedelta(seconds=15)
    cluster.reconcile()
    assert condition(cluster, "Failed")["reason"] == "QueueDeadlineExceeded"
    assert cluster.job() is None


def packaging() -> Cluster:
    """Return a cluster whose job has trained, and whose packaging pod is refused."""
    cluster = Cluster(spec(package=PACKAGE))
    cluster.settle()
    cluster.refusal = QUOTA
    cluster.finish_all(message=trained())
    cluster.settle()
    return cluster


def test_a_packaging_pod_that_is_refused_is_told() -> None:
    cluster = packaging()
    assert condition(cluster, "Packaged")["reason"] == "PodsRefused"
    assert QUOTA in condition(cluster, "Packaged")["message"]
    assert cluster.status["reason"] == "PodsRefused"


def test_a_packaging_pod_that_is_refused_is_not_waited_for_for_ever() -> None:
    cluster = packaging()
    cluster.wait(3601)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "PodsRefused"
    assert "the output is kept" in condition(cluster, "Failed")["message"]


def test_packaging_goes_on_once_the_pod_may_be_made() -> None:
    cluster = packaging()
    cluster.refusal = ""
    cluster.settle()
    assert condition(cluster, "Packaged")["reason"] == "Packaging"


def test_a_job_that_waits_shows_its_reason_from_the_first_status_on() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    assert cluster.status["reason"] == "WaitingForPods"
