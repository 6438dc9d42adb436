"""A group that loses a pod starts again as a whole, or the job fails: policy, count, rules."""

from typing import Any

import pytest

from slipway.plan import Manifest
from slipway.training import reasons
from tests.unit.training.simulation import Cluster, condition, trained, underway

FAILED = {"reason": "ScriptFailed", "message": "Rank 0 died.", "logTail": "ValueError: nan"}


def running(lingering: bool = True, **fields: Any) -> Cluster:
    cluster = underway(lingering=lingering, **{"nodes": 2, **fields})
    assert cluster.status["phase"] == "Running"
    return cluster


def job(cluster: Cluster) -> Manifest:
    found = cluster.job()
    assert found
    return found


def attempt(cluster: Cluster) -> str:
    return str(job(cluster)["metadata"]["labels"]["slipway.dev/attempt"])


def fail_first(cluster: Cluster, code: int = 1, **word: Any) -> None:
    """Let index 0 fail, its peer die of it, and everything settle."""
    cluster.finish(cluster.pods()[0], code, {**FAILED, **word})
    cluster.settle()
    cluster.leave()
    cluster.settle()


def test_a_failure_starts_all_pods_anew_with_one_more_attempt() -> None:
    cluster = running(restart={"maxRestarts": 1})
    before = {pod["metadata"]["uid"] for pod in cluster.all_pods()}
    first = job(cluster)["metadata"]["uid"]
    fail_first(cluster)
    assert attempt(cluster) == "1"
    assert job(cluster)["metadata"]["uid"] != first
    assert len(cluster.pods()) == 2
    assert not before & {pod["metadata"]["uid"] for pod in cluster.all_pods()}
    assert cluster.status["phase"] == "Restarting"
    assert (cluster.status["attempt"], cluster.status["restarts"]) == (1, 1)
    found = condition(cluster, "Restarting")
    assert (found["status"], found["reason"]) == ("True", "ScriptFailed")
    assert found["message"].startswith("Restart 1 of 1. Pod quick-train-0")
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert condition(cluster, "Restarting")["reason"] == "Restarted"
    assert [reason for kind, reason, _ in cluster.events if kind == "Warning"] == ["Restarting"]


def test_the_new_attempt_meets_under_a_name_of_its_own() -> None:
    cluster = running(restart={"maxRestarts": 1})
    fail_first(cluster)
    env = cluster.pods()[0]["spec"]["containers"][0]["env"]
    values = {one["name"]: one.get("value") for one in env}
    assert values["SLIPWAY_RDZV_ID"] == "uid-1-1"
    assert values["SLIPWAY_ATTEMPT"] == "1"


def test_the_last_restart_is_followed_by_the_end() -> None:
    cluster = running(restart={"maxRestarts": 1})
    fail_first(cluster)
    cluster.start()
    cluster.settle()
    fail_first(cluster)
    assert cluster.status["phase"] == "Failed"
    assert condition(cluster, "Restarting")["status"] == "False"
    assert cluster.status["failure"]["attempt"] == 1
    assert cluster.status["restarts"] == 1


def test_backoff_limit_means_the_same_as_max_restarts() -> None:
    cluster = running(backoffLimit=1)
    fail_first(cluster)
    assert cluster.status["phase"] == "Restarting"


def test_no_second_job_is_made_before_the_first_and_its_pods_are_gone() -> None:
    cluster = running(restart={"maxRestarts": 1})
    first = job(cluster)["metadata"]["uid"]
    cluster.finish(cluster.pods()[0], 1, FAILED)
    for _ in range(5):
        cluster.control()
        cluster.reconcile()
        assert job(cluster)["metadata"]["uid"] == first
        assert len(cluster.pods()) == 1, "the survivor has its time to save"
    cluster.leave()
    cluster.settle()
    assert job(cluster)["metadata"]["uid"] != first


def test_a_crash_between_the_two_steps_of_a_restart_counts_once() -> None:
    cluster = running(lingering=False, restart={"maxRestarts": 3})
    cluster.finish(cluster.pods()[0], 1, FAILED)
    cluster.control()
    cluster.control()
    cluster.reconcile()
    assert cluster.status["restarts"] == 1
    status = cluster.status
    cluster.reconcile()
    cluster.status = status
    cluster.settle()
    assert (cluster.status["restarts"], cluster.status["attempt"]) == (1, 1)


def test_a_status_that_was_lost_takes_the_attempt_from_the_job() -> None:
    cluster = running(restart={"maxRestarts": 1})
    fail_first(cluster)
    cluster.status = {}
    cluster.settle()
    assert cluster.status["attempt"] == 1
    assert attempt(cluster) == "1"


def test_of_pods_taken_within_one_second_the_group_restarts_for_the_one_that_has_ended() -> None:
    cluster = running()
    survivor, lost = cluster.pods()
    cluster.take(survivor)
    cluster.take(lost)
    cluster.wait(3)
    cluster.finish(lost, 143, {"reason": "Stopped", "exitCode": 143})
    cluster.reconcile()
    assert cluster.status["phase"] == "Restarting"
    assert cluster.status["failure"]["pod"] == lost["metadata"]["name"]


@pytest.mark.parametrize("reason", ["EvictionByEvictionAPI", "DeletionByTaintManager"])
def test_a_disruption_restarts_the_group_and_does_not_count(reason: str) -> None:
    cluster = running()
    cluster.disrupt(cluster.pods()[1], reason)
    cluster.wait(3)
    cluster.settle()
    assert cluster.status["phase"] == "Restarting"
    assert all(pod["metadata"].get("deletionTimestamp") for pod in cluster.pods())
    cluster.leave()
    cluster.settle()
    assert (cluster.status["attempt"], cluster.status["restarts"]) == (1, 0)
    assert cluster.status["failure"]["disruption"] is True
    assert reason in condition(cluster, "Restarting")["message"]
    assert len(cluster.pods()) == 2


def test_a_pod_that_somebody_deleted_is_a_disruption_and_ends_its_peers_at_once() -> None:
    cluster = running()
    cluster.take(cluster.pods()[0])
    cluster.settle()
    assert cluster.status["phase"] == "Running", "the Job controller may be about to say why"
    cluster.wait(3)
    cluster.settle()
    assert cluster.status["phase"] == "Restarting"
    assert cluster.status["restarts"] == 0


def test_a_deleted_pod_that_was_gone_at_once_is_still_told_from_the_peer_it_took_along() -> None:
    cluster = running()
    deleted, peer = cluster.pods()
    cluster.take(deleted)
    cluster.leave()
    tail = "RuntimeError: Connection closed by peer"
    cluster.finish(peer, 1, {**FAILED, "logTail": tail, "time": 1767268800.4})
    cluster.settle()
    cluster.settle()
    assert cluster.status["restarts"] == 0
    assert cluster.status["failure"]["pod"] == deleted["metadata"]["name"]


def test_a_peer_that_the_job_controller_stopped_is_not_taken_for_the_lost_one() -> None:
    cluster = running(restart={"maxRestarts": 1})
    cluster.finish(cluster.pods()[0], 1, {**FAILED, "time": 1767268800.4})
    cluster.settle()
    cluster.leave()
    cluster.settle()
    assert cluster.status["restarts"] == 1
    assert cluster.status["failure"]["logTail"] == "ValueError: nan"
    assert cluster.status["failure"]["followers"] == 1


def test_a_pod_whose_node_is_lost_is_taken_away_after_its_time() -> None:
    cluster = running()
    cluster.disrupt(cluster.pods()[0], "DeletionByTaintManager")
    cluster.wait(3)
    cluster.settle()
    assert len(cluster.all_pods()) == 2
    cluster.leave(lost=0)
    cluster.settle()
    assert len(cluster.pods()) == 1
    cluster.wait(100)
    cluster.settle()
    assert len(cluster.pods()) == 2
    assert attempt(cluster) == "1"


@pytest.mark.parametrize("reason", sorted(reasons.INVALID_CODE))
def test_code_that_cannot_be_served_is_not_tried_again(reason: str) -> None:
    cluster = running(restart={"maxRestarts": 3})
    fail_first(cluster, reason=reason)
    assert (cluster.status["phase"], cluster.status.get("restarts", 0)) == ("Failed", 0)
    assert condition(cluster, "Failed")["reason"] == reason


def test_never_means_that_the_first_failure_ends_the_job() -> None:
    cluster = running(restart={"policy": "Never"})
    cluster.disrupt(cluster.pods()[0])
    cluster.wait(3)
    cluster.settle()
    cluster.leave()
    cluster.settle()
    assert cluster.status["phase"] == "Failed"
    assert condition(cluster, "Failed")["reason"] == "PodLost"


FREE = "RestartAndIgnoreMaxRestarts"


def rules(*found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"restart": {"rules": list(found), **fields}}


def codes(action: str, *values: int, operator: str = "In") -> dict[str, Any]:
    return {"onExitCodes": {"operator": operator, "values": list(values)}, "action": action}


def on_reason(action: str, reason: str) -> dict[str, Any]:
    return {"onReasons": [reason], "action": action}


@pytest.mark.parametrize(
    ("restart", "code", "phase", "counted"),
    [
        (rules(codes("Fail", 42), maxRestarts=3), 42, "Failed", 0),
        (rules(codes("Fail", 9), maxRestarts=3), 42, "Restarting", 1),
        (rules(codes("Fail", 1, operator="NotIn"), maxRestarts=3), 42, "Failed", 0),
        (rules(codes(FREE, 42)), 42, "Restarting", 0),
        (rules(on_reason(FREE, "ScriptFailed")), 1, "Restarting", 0),
        (rules(on_reason(FREE, "OutOfMemory")), 1, "Failed", 0),
        (
            rules(on_reason("Fail", "ScriptFailed"), codes("Restart", 1), maxRestarts=3),
            1,
            "Failed",
            0,
        ),
    ],
)
def test_the_first_rule_that_matches_decides(
    restart: dict[str, Any], code: int, phase: str, counted: int
) -> None:
    cluster = running(**restart)
    fail_first(cluster, code)
    assert cluster.status["phase"] == phase
    assert cluster.status["restarts"] == counted


@pytest.mark.parametrize(("action", "phase"), [("Fail", "Failed"), ("Restart", "Failed")])
def test_a_rule_may_make_disruptions_count_or_fail(action: str, phase: str) -> None:
    cluster = running(**rules({"onDisruption": True, "action": action}))
    cluster.disrupt(cluster.pods()[0])
    cluster.leave()
    cluster.settle()
    cluster.leave()
    cluster.settle()
    assert cluster.status["phase"] == phase


def test_a_second_restart_after_quick_failures_waits() -> None:
    cluster = running(restart={"maxRestarts": 9})
    for _ in range(2):
        fail_first(cluster)
        cluster.start()
        cluster.settle()
    assert cluster.status["phase"] == "Restarting"
    assert cluster.job() is None
    assert cluster.reconcile().requeue_after == 10
    cluster.wait(10)
    cluster.settle()
    assert attempt(cluster) == "2"


def test_index_0_lost_while_it_stores_the_output_starts_the_group_and_not_itself_alone() -> None:
    cluster = running(restart={"policy": "Pod"})
    cluster.finish(cluster.pods()[1], 0, trained())
    cluster.settle()
    cluster.disrupt(cluster.pods()[0])
    cluster.wait(3)
    cluster.settle()
    assert cluster.status["attempt"] == 0, "it may have the time to store it"
    cluster.leave()
    cluster.settle()
    assert cluster.status["phase"] == "Restarting"
    cluster.leave()
    cluster.settle()
    assert attempt(cluster) == "1"
    assert len(cluster.pods()) == 2


@pytest.mark.parametrize("policy", ["Group", "Pod"])
@pytest.mark.parametrize("nodes", [1, 2])
def test_an_output_that_index_0_stores_while_it_is_taken_away_is_the_end(
    policy: str, nodes: int
) -> None:
    cluster = running(restart={"policy": policy}, nodes=nodes)
    first, *others = cluster.pods()
    for other in others:
        cluster.finish(other, 0, trained())
    cluster.settle()
    cluster.disrupt(first)
    cluster.wait(20)
    cluster.settle()
    assert cluster.status["attempt"] == 0
    cluster.finish(first, 0, trained())
    cluster.settle()
    assert (cluster.status["phase"], cluster.status["attempt"]) == ("Succeeded", 0)


def test_an_only_pod_that_does_not_end_in_its_time_is_lost_all_the_same() -> None:
    cluster = running(nodes=1)
    cluster.disrupt(cluster.pods()[0])
    cluster.wait(100)
    cluster.settle()
    assert cluster.status["phase"] == "Restarting"
    cluster.settle()
    assert attempt(cluster) == "1"


@pytest.mark.parametrize("seconds", [0, 1])
def test_index_0_whose_replacement_came_at_once_starts_the_group_as_well(seconds: int) -> None:
    cluster = running(restart={"policy": "Pod"})
    cluster.finish(cluster.pods()[1], 0, trained())
    cluster.settle()
    cluster.wait(seconds)
    lost = cluster.pods()[0]["metadata"]["name"]
    cluster.take(cluster.pods()[0])
    cluster.leave()
    cluster.settle()
    assert cluster.status["phase"] == "Restarting"
    assert cluster.status["failure"]["pod"] == lost
    cluster.leave()
    cluster.settle()
    assert (attempt(cluster), cluster.status["restarts"]) == ("1", 0)
    assert len(cluster.pods()) == 2


def test_where_pods_are_replaced_alone_a_lost_node_does_not_stop_that() -> None:
    cluster = running(restart={"policy": "Pod"})
    cluster.disrupt(cluster.pods()[0], "DeletionByTaintManager")
    cluster.wait(3)
    cluster.settle()
    assert cluster.status["attempt"] == 0
    cluster.wait(100)
    cluster.settle()
    assert cluster.status["attempt"] == 1


def test_a_job_that_restarts_can_be_suspended_and_goes_on_with_its_attempt() -> None:
    cluster = running(restart={"maxRestarts": 1})
    cluster.finish(cluster.pods()[0], 1, FAILED)
    cluster.settle()
    cluster.change(suspend=True)
    cluster.settle()
    cluster.leave()
    cluster.settle()
    assert cluster.status["phase"] == "Suspended"
    assert cluster.job() is None
    cluster.change(suspend=False)
    cluster.settle()
    assert attempt(cluster) == "1"
    assert cluster.status["phase"] == "Restarting"
