"""What holds of a TrainingJob whatever happens to it."""

from collections.abc import Iterator

from hypothesis import given, settings

from slipway.api import is_true
from slipway.api.training.status import TrainingJobStatus
from slipway.training.children.names import ATTEMPT
from slipway.training.report.phase import phase_of
from tests.property.training.histories import (
    CLUSTERS,
    HISTORIES,
    Act,
    copy_of,
    hold,
    leave,
    reconcile,
)
from tests.unit.training.simulation import Cluster, packaged, trained

END = ("Succeeded", "Failed")


def unfold(cluster: Cluster, history: list[Act]) -> Iterator[None]:
    """Let a history happen, act by act, for as long as the object is there."""
    for act in history:
        if not cluster.deleted:
            act(cluster)
            yield


def live(cluster: Cluster, history: list[Act]) -> Cluster:
    """Let a history happen, and then the operator look once more."""
    for _ in unfold(cluster, history):
        pass
    reconcile(cluster)
    return cluster


def check_status(cluster: Cluster) -> None:
    """Check that a status is one that the API takes and that does not contradict itself."""
    if not cluster.status:
        return
    status = TrainingJobStatus.model_validate(cluster.status)
    conditions = status.conditions
    assert status.phase == phase_of(conditions)
    assert all(condition.message for condition in conditions)
    assert all(len(condition.message) <= 8192 for condition in conditions)
    true = {condition.type for condition in conditions if condition.status == "True"}
    assert len(true & {"Succeeded", "Failed", "Running", "Suspended", "Queued"}) <= 1
    assert len(true & {"Succeeded", "Failed", "Running", "Restarting"}) <= 1
    assert status.phase in true or status.phase in ("Pending", "Packaging")
    assert status.restarts <= status.attempt
    assert (status.completion_time is not None) == (status.phase in END)
    if status.phase == "Succeeded":
        assert status.output
        assert is_true(conditions, "Packaged") == bool(status.package)


@given(CLUSTERS, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    cluster: Cluster, history: list[Act]
) -> None:
    live(cluster, history)
    for _ in range(3):
        reconcile(cluster)
    before = copy_of(cluster)
    reconcile(cluster)
    assert cluster.writes == before.writes
    assert cluster.objects == before.objects
    assert cluster.events == before.events or not cluster.status


@given(CLUSTERS, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_the_status_never_contradicts_itself(cluster: Cluster, history: list[Act]) -> None:
    for _ in unfold(cluster, history):
        check_status(cluster)


@given(CLUSTERS, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_a_service_goes_only_when_the_training_is_over(
    cluster: Cluster, history: list[Act]
) -> None:
    for _ in unfold(cluster, history):
        made = cluster.plan()
        if "Service" in [gone.ref.kind for gone in made.delete]:
            assert "Service" not in [manifest["kind"] for manifest in made.apply]
            status = TrainingJobStatus.model_validate(made.status)
            assert status.output or status.phase in END


@given(CLUSTERS, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_there_is_never_more_than_one_job_of_each_role(
    cluster: Cluster, history: list[Act]
) -> None:
    for _ in unfold(cluster, history):
        jobs = [ref.name for ref in cluster.objects if ref.kind == "Job"]
        assert set(jobs) <= {"quick-train", "quick-package"}
        assert sum(manifest["kind"] == "Job" for manifest in cluster.plan().apply) <= 1
        attempts = {pod["metadata"]["labels"][ATTEMPT] for pod in cluster.pods()}
        assert len(attempts) <= 1, "pods of two attempts never meet"


@given(CLUSTERS, HISTORIES, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_a_finished_job_never_gets_children_and_never_changes_its_mind(
    cluster: Cluster, history: list[Act], later: list[Act]
) -> None:
    live(cluster, history)
    if cluster.deleted or cluster.status.get("phase") not in END:
        return
    end = {key: value for key, value in cluster.status.items() if key != "observedGeneration"}
    for act in later:
        if cluster.deleted:
            return
        made = cluster.plan()
        assert (made.apply, made.patch) == ((), ())
        assert {gone.ref.kind for gone in made.delete} <= {"TrainingJob", "Job", "Service"}
        act(cluster)
        status = {
            key: value for key, value in cluster.status.items() if key != "observedGeneration"
        }
        assert status == end


@given(CLUSTERS, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_a_suspended_job_creates_no_job(cluster: Cluster, history: list[Act]) -> None:
    live(cluster, history)
    cluster.change(suspend=True)
    assert "Job" not in [manifest["kind"] for manifest in cluster.plan().apply]


@given(CLUSTERS, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_every_job_comes_to_its_end_when_nothing_disturbs_it_any_more(
    cluster: Cluster, history: list[Act]
) -> None:
    live(cluster, history)
    cluster.source_keys = frozenset({"train.py"})
    cluster.store = type(cluster.store)()
    cluster.change(suspend=False, activeDeadlineSeconds=None, ttlSecondsAfterFinished=None)
    for _ in range(12):
        if cluster.deleted:
            return
        cluster.settle()
        hold(admitted=True)(cluster)
        leave(cluster)
        cluster.settle()
        cluster.wait(11)
        for role in ("train", "package"):
            cluster.finish_all(role, word_of(role))
    assert cluster.status["phase"] in END


def word_of(role: str) -> dict[str, object]:
    """Return the last word of a pod that ended well."""
    return trained() if role == "train" else packaged()
