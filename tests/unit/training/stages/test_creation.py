"""Before the start: what a job waits for, and that nothing is created until it is there."""

from dataclasses import replace

from slipway.observed.missing import GRACE_SECONDS
from slipway.plan import Plan, StoreState
from slipway.training.planner import plan
from tests.unit.training.simulation import (
    PACKAGE,
    SETTINGS,
    START,
    Cluster,
    condition,
    spec,
    trained,
    underway,
)


def refused(cluster: Cluster) -> tuple[str, str]:
    """Reconcile, check that nothing was created and it is tried again, and say why."""
    plan = cluster.settle()
    assert (plan.apply, plan.requeue_after) == ((), 10)
    created = condition(cluster, "Created")
    assert (cluster.status["phase"], created["status"]) == ("Pending", "False")
    return created["reason"], created["message"]


def test_a_missing_config_map_is_waited_for() -> None:
    reason, message = refused(Cluster(spec(), source_keys=None))
    assert reason == "SourceNotFound"
    assert "ConfigMap code" in message


def test_a_missing_entrypoint_is_waited_for_and_the_keys_are_named() -> None:
    cluster = Cluster(spec(entrypoint="run.py"), source_keys=frozenset({"b.py", "a.py"}))
    reason, message = refused(cluster)
    assert reason == "EntrypointNotFound"
    assert "run.py" in message
    assert "a.py, b.py. Write one of them, or add the script to the ConfigMap." in message


def test_an_empty_config_map_is_said_to_have_no_keys() -> None:
    _, message = refused(Cluster(spec(), source_keys=frozenset()))
    assert message.endswith("its keys: none. Add the script to the ConfigMap.")


def test_of_many_keys_only_some_are_named() -> None:
    _, message = refused(Cluster(spec(), source_keys=frozenset(f"{n}.txt" for n in range(5000))))
    assert len(message) < 500


def test_an_unreachable_store_is_waited_for_and_its_error_is_told() -> None:
    store = StoreState(reachable=False, message="connection refused")
    reason, message = refused(Cluster(spec(), store=store))
    assert reason == "StoreUnavailable"
    assert "connection refused" in message


def test_waiting_costs_one_status_write_and_one_warning() -> None:
    cluster = Cluster(spec(), source_keys=None)
    for _ in range(5):
        cluster.reconcile()
        cluster.wait(10)
    assert cluster.writes == ["status TrainingJob"]
    assert [(kind, reason) for kind, reason, _ in cluster.events] == [("Warning", "SourceNotFound")]


def test_the_warning_of_a_missing_source_waits_and_that_of_a_store_that_is_away_does_not() -> None:
    (missing,) = Cluster(spec(), source_keys=None).plan().events
    assert (missing.reason, missing.grace_seconds) == ("SourceNotFound", GRACE_SECONDS)
    away = StoreState(reachable=False, message="connection refused")
    (told,) = Cluster(spec(), store=away).plan().events
    assert (told.reason, told.grace_seconds) == ("StoreUnavailable", 0.0)


def test_what_was_missing_starts_the_job_when_it_comes() -> None:
    cluster = Cluster(spec(), source_keys=None)
    cluster.settle()
    cluster.source_keys = frozenset({"train.py"})
    cluster.settle()
    assert condition(cluster, "Created")["status"] == "True"
    assert len(cluster.pods()) == 1


def test_a_source_in_the_image_needs_no_config_map() -> None:
    cluster = Cluster(spec(source={"image": {"path": "/app"}}), source_keys=None)
    cluster.settle()
    assert len(cluster.pods()) == 1


def test_a_single_pod_gets_no_service() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    assert not [ref for ref in cluster.objects if ref.kind == "Service"]


def test_a_group_gets_its_service_once_its_job_is_seen() -> None:
    cluster = Cluster(spec(nodes=3))
    assert [manifest["kind"] for manifest in cluster.reconcile().apply] == [
        *("Secret", "NetworkPolicy"),
        "Job",
    ]
    follows = [manifest["kind"] for manifest in cluster.plan().apply]
    assert follows == ["Secret", "NetworkPolicy", "Service"]


def test_after_creation_source_and_store_do_not_matter_any_more() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    before = cluster.status
    cluster.source_keys, cluster.store = None, StoreState(reachable=False)
    cluster.settle()
    assert cluster.status == before


def test_created_is_said_when_the_job_is_seen_not_when_it_is_asked_for() -> None:
    assert Cluster(spec()).plan().status is None


def test_a_job_that_somebody_deletes_is_created_again() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    first = cluster.job()
    assert first is not None
    cluster.delete(next(ref for ref in cluster.objects if ref.kind == "Job"))
    cluster.settle()
    again = cluster.job()
    assert again is not None
    assert again["metadata"]["uid"] != first["metadata"]["uid"]
    assert ("Warning", "Recreated") in [(kind, reason) for kind, reason, _ in cluster.events]


def test_a_job_that_is_being_deleted_is_waited_for() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    job = cluster.job()
    assert job is not None
    job["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    plan = cluster.reconcile()
    assert not plan.apply
    assert not plan.patch
    assert condition(cluster, "Running")["reason"] == "Recreating"


def test_a_service_that_somebody_deletes_is_created_again() -> None:
    cluster = Cluster(spec(nodes=2))
    cluster.settle()
    ref = next(ref for ref in cluster.objects if ref.kind == "Service")
    cluster.delete(ref)
    cluster.settle()
    assert ref in cluster.objects


def test_a_service_goes_when_the_training_is_over_and_stays_while_it_may_begin_anew() -> None:
    def services(cluster: Cluster) -> list[str]:
        found = (one for ref, one in cluster.objects.items() if ref.kind == "Service")
        return [one["metadata"]["uid"] for one in found]

    cluster = underway(nodes=2, restart={"maxRestarts": 1}, package=PACKAGE)
    before = services(cluster)
    cluster.finish(cluster.pods()[0], 1)
    cluster.settle()
    assert len(before) == 1
    assert services(cluster) == before
    cluster.start()
    cluster.finish_all()
    cluster.settle()
    assert (cluster.status["phase"], services(cluster)) == ("Packaging", [])
    failed = underway(nodes=2, restart={"policy": "Never"})
    failed.finish(failed.pods()[0], 1)
    failed.settle()
    assert (failed.status["phase"], services(failed)) == ("Failed", [])


def test_a_service_goes_with_the_word_on_the_output_though_nothing_follows() -> None:
    cluster = underway(nodes=2, package=PACKAGE)
    cluster.change(suspend=True)
    cluster.finish_all(message=trained())
    cluster.control()
    made = cluster.reconcile()
    assert made.status is not None
    assert [gone.ref.kind for gone in made.delete] == ["Service"]


def test_a_training_job_that_is_being_deleted_is_left_alone() -> None:
    snapshot = Cluster(spec()).snapshot()
    meta = snapshot.job.metadata.model_copy(update={"deletion_timestamp": "2026-01-01T12:00:00Z"})
    gone = replace(snapshot, job=snapshot.job.model_copy(update={"metadata": meta}))
    assert plan(gone, SETTINGS, START) == Plan()


def test_a_new_default_image_changes_no_job_that_is_there() -> None:
    cluster = Cluster(spec(nodes=2))
    cluster.settle()
    newer = SETTINGS.model_copy(update={"trainer_image": "slipway-trainer:9"})
    made = plan(cluster.snapshot(), newer, START)
    assert "Job" not in [manifest["kind"] for manifest in made.apply]
    assert not made.patch
