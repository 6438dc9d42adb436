"""Suspending and resuming, at each stage of the life."""

from tests.unit.training.simulation import (
    PACKAGE,
    Cluster,
    condition,
    packaged,
    spec,
    trained,
    underway,
)


def reasons(cluster: Cluster) -> list[str]:
    return [reason for _, reason, _ in cluster.events]


def test_a_job_suspended_from_the_start_creates_nothing() -> None:
    cluster = Cluster(spec(suspend=True))
    cluster.settle()
    assert cluster.objects == {}
    assert cluster.status["phase"] == "Suspended"
    assert condition(cluster, "Created")["status"] == "False"


def test_a_job_suspended_from_the_start_begins_when_it_is_resumed() -> None:
    cluster = Cluster(spec(suspend=True))
    cluster.settle()
    cluster.change(suspend=False)
    cluster.settle()
    assert cluster.status["phase"] == "Queued"
    assert condition(cluster, "Suspended")["status"] == "False"
    assert reasons(cluster) == ["Suspended", "Created", "Resumed"]


def test_a_running_job_is_suspended_by_its_job() -> None:
    cluster = underway(nodes=2)
    cluster.change(suspend=True)
    made = cluster.reconcile()
    assert [patch.body for patch in made.patch] == [{"spec": {"suspend": True}}]
    cluster.settle()
    assert cluster.pods() == []
    assert cluster.status["phase"] == "Suspended"
    assert cluster.status["nodes"]["active"] == 0
    assert condition(cluster, "Running")["reason"] == "SuspendedBySpec"


def test_suspension_is_told_when_it_is_in_effect_not_when_it_is_asked_for() -> None:
    cluster = underway()
    cluster.change(suspend=True)
    cluster.reconcile()
    assert cluster.status["phase"] == "Running"


def test_a_resumed_job_runs_again() -> None:
    cluster = underway(nodes=2)
    cluster.change(suspend=True)
    cluster.settle()
    cluster.change(suspend=False)
    cluster.settle()
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert reasons(cluster) == ["Created", "Started", "Suspended", "Resumed", "Started"]


def test_a_job_suspended_at_its_trainings_end_packages_when_it_is_resumed() -> None:
    cluster = underway(package=PACKAGE)
    cluster.finish_all(message=trained())
    cluster.control()
    cluster.change(suspend=True)
    cluster.settle()
    assert cluster.job("package") is None
    assert cluster.status["phase"] == "Suspended"
    assert cluster.status["output"]
    cluster.change(suspend=False)
    cluster.settle()
    assert cluster.status["phase"] == "Packaging"
    assert len(cluster.pods("package")) == 1


def test_a_packaging_job_is_suspended_and_resumed_too() -> None:
    cluster = underway(package=PACKAGE)
    cluster.finish_all(message=trained())
    cluster.settle()
    cluster.change(suspend=True)
    cluster.settle()
    assert cluster.pods("package") == []
    assert cluster.status["phase"] == "Suspended"
    cluster.change(suspend=False)
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert condition(cluster, "Suspended")["status"] == "False"


def test_a_suspended_job_whose_job_is_deleted_creates_nothing_until_it_is_resumed() -> None:
    cluster = underway()
    cluster.change(suspend=True)
    cluster.settle()
    cluster.delete(next(ref for ref in cluster.objects if ref.kind == "Job"))
    cluster.settle()
    assert cluster.job() is None
    assert cluster.status["phase"] == "Suspended"
    cluster.change(suspend=False)
    cluster.settle()
    assert len(cluster.pods()) == 1


def test_suspending_after_the_end_changes_nothing_but_the_observed_generation() -> None:
    cluster = underway()
    cluster.finish_all(message=trained())
    cluster.settle()
    before = cluster.status
    cluster.change(suspend=True)
    made = cluster.settle()
    assert (made.apply, made.patch, made.delete) == ((), (), ())
    assert cluster.status == {**before, "observedGeneration": 2}
