"""After the end: nothing comes back, and the object goes when its time is over."""

from collections.abc import Callable
from typing import Any

import pytest

from slipway.plan import ObjectRef
from tests.unit.training.simulation import PACKAGE, Cluster, packaged, spec, trained


def succeeded(**fields: Any) -> Cluster:
    cluster = Cluster(spec(package=PACKAGE, nodes=2, **fields))
    cluster.settle()
    cluster.start()
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    return cluster


def failed(**fields: Any) -> Cluster:
    cluster = Cluster(spec(**fields))
    cluster.settle()
    cluster.finish(cluster.pods()[0], 1)
    cluster.settle()
    assert cluster.status["phase"] == "Failed"
    return cluster


@pytest.mark.parametrize("end", [succeeded, failed])
def test_a_finished_job_never_gets_its_children_back(end: Callable[..., Cluster]) -> None:
    cluster = end()
    before = cluster.status
    cluster.objects.clear()
    cluster.settle()
    assert cluster.objects == {}
    assert cluster.status == before


def test_a_finished_job_stays_without_a_lifetime() -> None:
    cluster = succeeded()
    cluster.wait(10**9)
    assert cluster.reconcile().requeue_after is None
    assert not cluster.deleted


@pytest.mark.parametrize("end", [succeeded, failed])
def test_a_finished_job_goes_when_its_lifetime_is_over(end: Callable[..., Cluster]) -> None:
    cluster = end(ttlSecondsAfterFinished=60)
    cluster.wait(20)
    assert cluster.reconcile().requeue_after == 40
    assert not cluster.deleted
    cluster.wait(40)
    made = cluster.reconcile()
    ref = ObjectRef("slipway.dev/v1alpha1", "TrainingJob", "default", "quick")
    assert [(gone.ref, gone.uid) for gone in made.delete] == [(ref, "uid-1")]
    assert cluster.deleted


def test_a_lifetime_that_is_set_after_the_end_counts_from_the_end() -> None:
    cluster = succeeded()
    cluster.wait(100)
    cluster.change(ttlSecondsAfterFinished=60)
    cluster.reconcile()
    assert cluster.deleted


def test_a_finished_job_without_a_completion_time_counts_from_its_last_condition() -> None:
    cluster = succeeded(ttlSecondsAfterFinished=60)
    del cluster.status["completionTime"]
    cluster.wait(59)
    assert cluster.reconcile().requeue_after == 1


@pytest.mark.parametrize(("policy", "stay"), [("None", True), ("Running", True), ("All", False)])
def test_what_has_ended_stays_unless_all_is_to_be_cleaned_up(policy: str, stay: bool) -> None:
    cluster = succeeded(cleanPodPolicy=policy)
    assert [bool(cluster.job(role)) for role in ("train", "package")] == [stay, stay]


@pytest.mark.parametrize(("policy", "pods"), [("None", 2), ("Running", 0), ("All", 0)])
def test_pods_that_still_run_at_the_end_are_stopped_unless_all_is_to_stay(
    policy: str, pods: int
) -> None:
    cluster = Cluster(spec(nodes=2, progressDeadlineSeconds=60, cleanPodPolicy=policy))
    cluster.settle()
    cluster.start()
    cluster.settle()
    cluster.wait(60)
    cluster.settle()
    assert cluster.status["phase"] == "Failed"
    assert len(cluster.pods()) == pods
