"""Each turn of a TrainingJob's life, with Kubernetes' own Job controller and garbage collector."""

from collections.abc import Callable

import pytest

from tests.contract.operator import play
from tests.contract.operator.conftest import SharedOperator
from tests.contract.operator.kubelet import Begin, Kubelet, finish
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.usefixtures("controllers")]
Start = Callable[..., OperatorProcess]
FAILED = {"reason": "ScriptFailed", "exitCode": 1, "message": "Rank 0 died.", "logTail": "nan"}


def test_a_failed_group_starts_again_as_a_whole_and_succeeds(begin: Begin) -> None:
    job = begin(restart={"maxRestarts": 1})
    first = job.run()
    uid = job.uid()
    job.phase("Running")
    job.end(first[:1], 1, **FAILED)
    job.leave(1)
    again = job.run(attempt=1)
    assert not set(first) & set(again)
    assert job.uid() != uid
    status = job.phase("Running")
    assert (status["attempt"], status["restarts"]) == (1, 1)
    assert status["failure"]["pod"] == first[0]
    assert status["failure"]["followers"] == 1
    assert job.reason("Restarting") == "False:Restarted"
    finish(job, again)


def test_without_restarts_left_a_failure_is_the_end_and_nothing_comes_back(begin: Begin) -> None:
    job = begin()
    names = job.run()
    job.phase("Running")
    job.end(names[:1], 1, **FAILED)
    job.leave(1)
    status = job.phase("Failed")
    assert status["failure"]["logTail"] == "nan"
    job.kubectl.run("delete", "job", "job-train", "--cascade=foreground")
    job.change(suspend=True, backoffLimit=5)
    wait_for(
        lambda: job.status()["observedGeneration"] == 2, 120, "the change is observed", job.report
    )
    assert (job.uid(), job.pods()) == ("", [])
    assert job.status()["phase"] == "Failed"


@pytest.mark.parametrize("how", ["deleted", "evicted"])
def test_a_pod_that_was_taken_away_restarts_the_group_and_does_not_count(
    how: str, begin: Begin
) -> None:
    job = begin()
    names = job.run()
    job.phase("Running")
    (job.evict if how == "evicted" else job.delete)(names[1])
    job.leave(2)
    job.run(attempt=1)
    status = job.phase("Running")
    assert (status["attempt"], status["restarts"]) == (1, 0)
    assert status["failure"]["disruption"] is True
    assert status["failure"]["pod"] == names[1]


def test_a_pod_of_a_lost_node_is_given_up_and_the_group_starts_again(begin: Begin) -> None:
    job = begin()
    names = job.run()
    job.phase("Running")
    job.kubectl.delete("pod", names[0], wait=False, grace=1)
    job.leave(1, but=names[0])
    job.run(attempt=1)
    assert job.phase("Running")["restarts"] == 0
    assert names[0] not in {pod["metadata"]["name"] for pod in job.pods()}


def test_index_0_lost_while_it_stores_the_output_starts_the_whole_group(begin: Begin) -> None:
    job = begin(restart={"policy": "Pod"})
    names = job.run()
    job.phase("Running")
    job.end(names[1:])
    job.delete(names[0])
    job.leave(1)
    again = job.run(attempt=1)
    finish(job, again)


def test_one_pod_is_replaced_alone_where_the_policy_says_so(begin: Begin) -> None:
    job = begin(restart={"policy": "Pod"})
    names = job.run()
    uid = job.uid()
    job.phase("Running")
    job.evict(names[1])
    job.leave(1)
    again = job.run()
    assert (again[0], job.uid()) == (names[0], uid)
    assert job.phase("Running")["attempt"] == 0


def test_a_job_that_waits_runs_or_restarts_is_suspended_and_goes_on(begin: Begin) -> None:
    job = begin(restart={"maxRestarts": 1}, activeDeadlineSeconds=1000)
    play.wait_object(job.kubectl, "job", "job-train")
    job.change(suspend=True)
    job.phase("Suspended")
    job.change(suspend=False)
    names = job.run()
    job.phase("Running")
    job.change(suspend=True)
    job.leave(2)
    assert job.phase("Suspended")["attempt"] == 0
    assert "since" not in job.status()["runTime"]
    job.change(suspend=False)
    names = job.run()
    job.phase("Running")
    live = job.kubectl.get("job", "job-train") or {}
    assert live["spec"]["activeDeadlineSeconds"] <= 1000
    job.end(names[:1], 1, **FAILED)
    job.leave(1)
    job.wait("Restarting", "True:ScriptFailed")
    job.change(suspend=True)
    job.phase("Suspended")
    job.change(suspend=False)
    job.run(attempt=1)
    assert job.phase("Running")["restarts"] == 1


def test_pods_that_still_save_are_waited_for_before_a_suspended_job_goes_on(begin: Begin) -> None:
    job = begin()
    names = job.run()
    job.phase("Running")
    job.change(suspend=True)
    wait_for(
        lambda: all(pod["metadata"].get("deletionTimestamp") for pod in job.pods()),
        120,
        "the pods are told to go",
    )
    job.change(suspend=False)
    job.wait("Queued", "False:SuspendedBySpec")
    live = job.kubectl.get("job", "job-train") or {}
    assert live["spec"]["suspend"] is True
    assert {pod["metadata"]["name"] for pod in job.pods()} == set(names)
    job.leave(2)
    job.run()
    job.phase("Running")


def test_packaging_is_suspended_and_goes_on(begin: Begin) -> None:
    job = begin()
    job.end(job.run())
    play.wait_object(job.kubectl, "job", "job-package")
    job.phase("Packaging")
    job.change(suspend=True)
    job.phase("Suspended")
    job.change(suspend=False)
    job.wait("Packaged", "False:Packaging")
    finish(job, [])


def test_children_that_somebody_deletes_come_back_until_the_end(begin: Begin) -> None:
    job = begin()
    job.run()
    job.phase("Running")
    uid = job.uid()
    service = play.wait_object(job.kubectl, "service", "job-train")
    job.kubectl.delete("service", "job-train")
    again = play.wait_object(job.kubectl, "service", "job-train")
    assert again["metadata"]["uid"] != service["metadata"]["uid"]
    job.kubectl.run("delete", "job", "job-train", "--cascade=foreground", "--wait=false")
    job.leave(2)
    wait_for(lambda: job.uid() not in ("", uid), 120, "the Job is made again", job.report)
    names = job.run()
    assert job.phase("Running")["attempt"] == 0
    finish(job, names)
    assert job.kubectl.get("service", "job-train") is None


def test_the_deadline_is_that_of_all_attempts_and_ends_a_job_in_its_restart(begin: Begin) -> None:
    job = begin(restart={"maxRestarts": 1}, activeDeadlineSeconds=600)
    names = job.run()
    job.phase("Running")
    job.end(names[:1], 1, **FAILED)
    job.change(activeDeadlineSeconds=1)
    job.leave(1)
    job.phase("Failed")
    assert job.reason("Failed") == "True:DeadlineExceeded"
    assert job.pods() == []


def test_waiting_is_bounded_and_what_waits_is_stopped(begin: Begin) -> None:
    job = begin(queueDeadlineSeconds=2)
    job.phase("Failed")
    assert job.reason("Failed") == "True:QueueDeadlineExceeded"
    wait_for(lambda: job.uid() == "" and not job.pods(), 120, "nothing waits any more", job.report)


def test_a_hang_is_ended_and_the_group_starts_again(begin: Begin) -> None:
    job = begin(progressDeadlineSeconds=3, restart={"maxRestarts": 1})
    job.run()
    job.wait("Restarting", "True:ProgressDeadlineExceeded")
    job.leave(2)
    job.run(attempt=1)


def test_what_somebody_else_manages_is_left_alone(begin: Begin) -> None:
    other, ours = begin("other", managedBy="example.com/other"), begin("ours")
    ours.run()
    assert (other.uid(), other.status()) == ("", {})


def test_an_elastic_job_is_scaled_while_it_runs(begin: Begin) -> None:
    job = begin(nodes=2, elastic={"minNodes": 1, "maxNodes": 3})
    names = job.run()
    uid = job.uid()
    job.phase("Running")
    job.kubectl.run("scale", "tj/job", "--replicas=3")
    more = job.run(3)
    assert set(names) < set(more)
    job.kubectl.run("scale", "tj/job", "--replicas=1")
    job.leave(2)
    wait_for(lambda: len(job.pods()) == 1, 120, "one pod is left", job.report)
    assert (job.uid(), job.phase("Running")["attempt"]) == (uid, 0)
    finish(job, more[:1])


def test_an_operator_that_dies_in_a_restart_counts_it_once(
    start_operator: Start, shared_operator: SharedOperator, kubectl: Kubectl
) -> None:
    shared_operator.end()
    first = start_operator(SLIPWAY_LEADER_ELECTION="false")
    first.wait_until_ready()
    kubectl.create([play.source(), play.training_job(restart={"maxRestarts": 3})])
    job = Kubelet(kubectl, "job")
    names = job.run()
    job.phase("Running")
    job.end(names[:1], 1, **FAILED)
    job.leave(1)
    job.wait("Restarting", "True:ScriptFailed")
    first.kill()
    second = start_operator(SLIPWAY_LEADER_ELECTION="false")
    second.wait_until_ready()
    job.run(attempt=1)
    assert job.phase("Running")["restarts"] == 1
