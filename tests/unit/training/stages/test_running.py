"""While the Job lives: started, waiting, retried, and what the conditions say of it."""

from typing import Any

import pytest

from slipway.plan import PROBLEM_SECONDS, ObjectRef, StoreState
from slipway.training.children.pod_failure_policy import failure_fields
from tests.unit.training.simulation import Cluster, condition, spec, trained, training_job, waiting


def created(**fields: Any) -> Cluster:
    """Return a cluster with a job whose pods are there and wait."""
    cluster = Cluster(spec(**fields))
    cluster.settle()
    return cluster


def running(**fields: Any) -> Cluster:
    """Return a cluster with a job whose pods run."""
    cluster = created(**fields)
    cluster.start()
    cluster.settle()
    return cluster


def test_a_job_whose_pods_wait_is_pending() -> None:
    cluster = created(nodes=2)
    assert cluster.status["phase"] == "Queued"
    assert condition(cluster, "Running")["reason"] == "WaitingForPods"


def test_a_group_runs_when_its_last_pod_has_started() -> None:
    cluster = created(nodes=2)
    first, second = cluster.pods()
    first["status"] = {"phase": "Running", "containerStatuses": [_state("trainer", "running")]}
    cluster.settle()
    assert cluster.status["phase"] == "Queued"
    second["status"] = first["status"]
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert cluster.status["nodes"] == {
        "desired": 2,
        "active": 2,
        "ready": 2,
        "succeeded": 0,
        "failed": 0,
    }


def _state(name: str, state: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "state": {state: fields}}


def test_a_pod_that_ends_before_the_others_changes_nothing() -> None:
    cluster = running(nodes=2)
    before = cluster.status
    cluster.finish(cluster.pods()[1])
    cluster.settle()
    assert cluster.status == before


def test_a_sidecar_that_stops_after_the_script_changes_nothing() -> None:
    cluster = running(nodes=2)
    before = cluster.status
    stopping = [_state("trainer", "terminated", exitCode=0), _state("agent", "running")]
    cluster.pods()[1]["status"] = {"phase": "Running", "containerStatuses": stopping}
    cluster.settle()
    assert cluster.status == before


def test_start_time_is_the_jobs_first_one() -> None:
    cluster = running()
    started = cluster.status["startTime"]
    cluster.wait(60)
    cluster.change(suspend=True)
    cluster.settle()
    cluster.change(suspend=False)
    cluster.settle()
    cluster.start()
    cluster.settle()
    assert cluster.status["startTime"] == started


def test_progress_is_asked_for_while_the_job_runs() -> None:
    assert running().reconcile().requeue_after == 10
    assert created().reconcile().requeue_after is None


def test_a_store_that_is_away_is_told_and_the_training_goes_on() -> None:
    cluster = running()
    cluster.store = StoreState(reachable=False, message="connection refused")
    cluster.settle()
    found = condition(cluster, "Running")
    assert (found["status"], found["reason"]) == ("True", "StoreUnavailable")
    assert found["message"].endswith("connection refused")
    assert cluster.status["phase"] == "Running"
    cluster.store = StoreState()
    cluster.settle()
    assert condition(cluster, "Running")["reason"] == "AllPodsRunning"
    reasons = [reason for _, reason, _ in cluster.events]
    assert reasons == ["Created", "Started", "StoreUnavailable"]


CONFIG = "CreateContainerConfigError"


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (CONFIG, 'secret "keys" not found', "SecretNotFound"),
        (CONFIG, "couldn't find key alpha in Secret default/keys", "SecretNotFound"),
        (CONFIG, 'configmap "options" not found', "ConfigMapNotFound"),
        (CONFIG, "couldn't find key a in ConfigMap default/options", "ConfigMapNotFound"),
        (CONFIG, "something else", "ContainerCannotStart"),
        ("ErrImagePull", "not found", "ImagePullFailed"),
        ("ImagePullBackOff", "back-off", "ImagePullFailed"),
        ("InvalidImageName", "bad name", "ImagePullFailed"),
        ("CreateContainerError", "no such device", "ContainerCannotStart"),
        ("RunContainerError", "exec: python3: not found", "ContainerCannotStart"),
    ],
)
def test_what_keeps_a_container_from_starting_is_told(kind: str, text: str, reason: str) -> None:
    cluster = created(nodes=2)
    pod = cluster.pods()[1]
    pod["status"] = waiting("trainer", kind, text)
    cluster.settle()
    found = condition(cluster, "Running")
    assert (found["status"], found["reason"]) == ("False", reason)
    assert pod["metadata"]["name"] in found["message"]
    assert cluster.status["phase"] == "Queued"
    assert ("Warning", reason) in [(kind, why) for kind, why, _ in cluster.events]
    assert cluster.plan().requeue_after


def test_pods_that_wait_for_their_volumes_have_their_secret_put_back_if_it_is_gone() -> None:
    cluster = created()
    assert cluster.plan().requeue_after is None
    cluster.pods()[0]["spec"]["nodeName"] = "a"
    cluster.pods()[0]["status"] = waiting("trainer", "PodInitializing")
    cluster.settle()
    again = cluster.plan()
    assert again.requeue_after == PROBLEM_SECONDS
    assert "Secret" in {manifest["kind"] for manifest in again.apply}


def test_the_message_of_a_missing_secret_names_it() -> None:
    cluster = created()
    cluster.pods()[0]["status"] = waiting("trainer", CONFIG, 'secret "keys" not found')
    cluster.settle()
    assert 'secret "keys" not found' in condition(cluster, "Running")["message"]


def test_an_image_that_is_pulled_again_and_again_is_written_once() -> None:
    cluster = created()
    for kind in ("ErrImagePull", "ImagePullBackOff", "ErrImagePull"):
        cluster.pods()[0]["status"] = waiting("trainer", kind, f"{kind} text")
        cluster.settle()
    assert [status["conditions"][1]["reason"] for status in cluster.statuses] == [
        "WaitingForPods",
        "ImagePullFailed",
    ]
    assert "registry.example/slipway-trainer:0.1.0" in condition(cluster, "Running")["message"]


def test_a_sidecar_that_crashes_again_and_again_is_told_once() -> None:
    cluster = created()
    pod = cluster.pods()[0]
    crashed = {
        "name": "agent",
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    again = {"name": "agent", "restartCount": 3, "state": {"running": {}}}
    for status in (crashed, again, crashed):
        pod["status"] = {"phase": "Pending", "initContainerStatuses": [status]}
        cluster.settle()
    assert condition(cluster, "Running")["reason"] == "ContainerCannotStart"
    assert len(cluster.statuses) == 2


def test_a_pod_that_no_node_can_take_is_told_in_the_schedulers_words() -> None:
    cluster = created()
    scheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
    }
    cluster.pods()[0]["status"] = {"phase": "Pending", "conditions": [scheduled]}
    cluster.settle()
    found = condition(cluster, "Running")
    assert found["reason"] == "Unschedulable"
    assert "Insufficient nvidia.com/gpu" in found["message"]


def test_a_problem_that_passes_is_forgotten() -> None:
    cluster = created()
    cluster.pods()[0]["status"] = waiting("trainer", "ErrImagePull")
    cluster.settle()
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == "Running"


def test_a_pod_that_is_replaced_alone_means_restarting() -> None:
    cluster = running(nodes=2, restart={"policy": "Pod", "maxRestarts": 1})
    cluster.finish(cluster.pods()[0], 1, {"reason": "ScriptFailed", "message": "Rank 0 died."})
    cluster.settle()
    found = condition(cluster, "Running")
    assert (found["status"], found["reason"]) == ("False", "Restarting")
    assert "Rank 0 died." in found["message"]
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert cluster.status["nodes"]["failed"] == 1
    assert cluster.status["attempt"] == 0


def test_where_pods_are_replaced_alone_a_try_may_cost_every_pod_once() -> None:
    cluster = running(nodes=2, restart={"policy": "Pod", "maxRestarts": 1})
    for pod in cluster.pods():
        cluster.finish(pod, 1)
    cluster.settle()
    assert condition(cluster, "Running")["status"] == "False"
    cluster.start()
    cluster.settle()
    cluster.finish(cluster.pods()[0], 1)
    cluster.settle()
    assert cluster.status["phase"] == "Failed"


def test_where_pods_are_replaced_alone_a_disruption_is_no_try() -> None:
    cluster = running(restart={"policy": "Pod"})
    cluster.finish(cluster.pods()[0], 143)
    cluster.disrupt(cluster.all_pods()[0])
    cluster.settle()
    assert len(cluster.pods()) == 1
    assert cluster.status["attempt"] == 0


@pytest.mark.parametrize(("code", "phase"), [(243, "Failed"), (143, "Running")])
def test_where_pods_are_replaced_alone_a_143_of_the_programs_own_is_a_failure(
    code: int, phase: str
) -> None:
    """Kubernetes replaces such pods while the operator is away, and judges by their codes alone."""
    cluster = running(restart={"policy": "Pod"})
    cluster.finish(cluster.pods()[0], code)
    cluster.control()
    cluster.control()
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == phase


def test_where_pods_are_replaced_alone_the_rules_know_the_programs_own_codes() -> None:
    rule = {"onExitCodes": {"values": [143, 3]}, "action": "RestartAndIgnoreMaxRestarts"}
    job = training_job(spec(restart={"policy": "Pod", "rules": [rule]}))
    assert failure_fields(job)["podFailurePolicy"]["rules"][-1] == {
        "action": "Ignore",
        "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [3, 243]},
    }


def test_a_job_without_tries_left_is_not_said_to_be_tried_again() -> None:
    cluster = running()
    cluster.finish(cluster.pods()[0], 1)
    cluster.reconcile()
    assert cluster.status["phase"] == "Running"
    cluster.settle()
    assert cluster.status["phase"] == "Failed"


def test_pods_of_an_earlier_job_of_the_same_name_do_not_count() -> None:
    cluster = running()
    old = cluster.pods()[0]
    cluster.delete(next(ref for ref in cluster.objects if ref.kind == "Job"))
    cluster.objects[ObjectRef.of(old)] = old
    cluster.finish(old, 0, trained())
    cluster.settle()
    assert cluster.status["phase"] == "Queued"
    assert "output" not in cluster.status


def test_pods_that_wait_for_a_deleted_source_say_so() -> None:
    cluster = Cluster(spec(nodes=2))
    cluster.settle()
    cluster.source_gone = True
    cluster.settle()
    assert condition(cluster, "Running")["reason"] == "SourceNotFound"
    cluster.start()
    cluster.settle()
    assert condition(cluster, "Running")["status"] == "True"
