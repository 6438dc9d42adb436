"""The end of a job that did not go well: who failed first, how, and with what last words."""

import json
import time
from typing import Any

import pytest

from slipway.plan import ObjectRef
from slipway.training.observed.first_failure import first_failure, first_taken
from slipway.training.observed.pods import JobPod
from tests.unit.training.simulation import Cluster, condition, spec, underway, waiting


def running(**fields: Any) -> Cluster:
    return underway(**{"restart": {"policy": "Never"}, **fields})


def failed(cluster: Cluster) -> dict[str, str]:
    """Let the Job controller see the end, check that it is one, and return the condition."""
    cluster.settle()
    assert cluster.status["phase"] == "Failed"
    assert cluster.pods() == []
    assert condition(cluster, "Running")["status"] == "False"
    return condition(cluster, "Failed")


def script_failed(**fields: Any) -> dict[str, Any]:
    return {
        "reason": "ScriptFailed",
        "exitCode": 3,
        "message": "Rank 0 of the training script exited with code 3.",
        "logTail": "Traceback\nValueError: loss is nan",
        **fields,
    }


def test_a_failing_script_ends_with_its_exit_code_and_its_last_lines() -> None:
    cluster = running()
    name = cluster.pods()[0]["metadata"]["name"]
    cluster.finish(cluster.pods()[0], 3, script_failed())
    found = failed(cluster)
    assert found["reason"] == "ScriptFailed"
    assert found["message"].startswith(f"Pod {name} failed: exit code 3.")
    assert found["message"].endswith("ValueError: loss is nan")
    assert ("Warning", "Failed") in [(kind, reason) for kind, reason, _ in cluster.events]
    assert cluster.status["completionTime"] == "2026-01-01T12:00:00Z"


def test_the_pod_that_failed_first_is_told_not_the_one_that_died_of_it() -> None:
    cluster = running(nodes=2)
    follower, culprit = cluster.pods()
    tail = "RuntimeError: [gloo] Connection closed by peer [10.0.0.7]:1234"
    cluster.finish(follower, 1, script_failed(exitCode=1, time=100.1, logTail=tail))
    cluster.finish(culprit, 3, script_failed(time=100.2))
    assert "loss is nan" in failed(cluster)["message"]


def test_among_equals_the_earlier_one_is_told_to_the_fraction_of_a_second() -> None:
    cluster = running(nodes=2)
    second, first = cluster.pods()
    cluster.finish(second, 1, script_failed(time=100.7, logTail="second"))
    cluster.finish(first, 1, script_failed(time=100.2, logTail="first"))
    assert failed(cluster)["message"].endswith("first")


def test_without_a_word_of_its_own_the_kubelets_clock_decides() -> None:
    cluster = running(nodes=2)
    second, first = cluster.pods()
    cluster.finish(second, 1, "second", finishedAt="2026-01-01T12:00:09Z")
    cluster.finish(first, 1, "first", finishedAt="2026-01-01T12:00:08Z")
    assert failed(cluster)["message"].endswith("first")


def test_a_pod_that_was_told_to_stop_is_not_blamed() -> None:
    cluster = running(nodes=2)
    stopped, culprit = cluster.pods()
    cluster.finish(stopped, 143, {"reason": "Stopped"}, finishedAt="2026-01-01T12:00:00Z")
    cluster.finish(culprit, 3, script_failed(), finishedAt="2026-01-01T12:00:05Z")
    assert failed(cluster)["reason"] == "ScriptFailed"


@pytest.mark.parametrize("code", [143, 130, 137])
def test_a_code_that_a_signal_might_have_left_is_the_programs_own_failure(code: int) -> None:
    cluster = running(nodes=2)
    own = 243 if code == 143 else code
    word = {"reason": "ScriptFailed", "exitCode": code, "logTail": "its last line"}
    cluster.finish(cluster.pods()[0], own, word)
    failed(cluster)
    failure = cluster.status["failure"]
    assert (failure["reason"], failure["exitCode"]) == ("ScriptFailed", code)
    assert failure["disruption"] is False
    assert failure["logTail"] == "its last line"
    assert cluster.status["attempt"] == 0, "no restart is left"


def delete(pod: dict[str, Any]) -> None:
    """Let a pod be told to go, at the same second as any other."""
    pod["metadata"].update(deletionTimestamp="2026-01-01T12:00:30Z")
    pod["metadata"].update(deletionGracePeriodSeconds=30)


def stop(pod: dict[str, Any], told: float) -> None:
    """Let a pod be told to go and have ended, with its launcher's word on when it was told."""
    delete(pod)
    message = json.dumps({"reason": "Stopped", "exitCode": 143, "time": told})
    over = {"exitCode": 143, "message": message, "finishedAt": "2026-01-01T12:00:01Z"}
    main = {"name": "trainer", "state": {"terminated": over}}
    pod["status"] = {"phase": "Failed", "containerStatuses": [main]}


def test_of_pods_deleted_within_one_second_the_first_to_end_is_the_lost_one() -> None:
    survivor, lost = underway(nodes=2).pods()
    stop(survivor, 100.9)
    stop(lost, 100.2)
    failure = first_failure([JobPod(survivor, "trainer"), JobPod(lost, "trainer")])
    assert failure is not None
    assert failure.record is not None
    assert (failure.record.pod, failure.disruption) == (lost["metadata"]["name"], True)


def test_a_pod_that_still_saves_is_not_known_to_have_gone_first() -> None:
    saving, ended = underway(nodes=2).pods()
    delete(saving)
    stop(ended, 100.9)
    views = [JobPod(pod, "trainer") for pod in (saving, ended)]
    assert first_taken(views).name == ended["metadata"]["name"]


def test_a_raw_log_is_taken_where_the_launcher_could_leave_no_word() -> None:
    cluster = running()
    cluster.finish(cluster.pods()[0], 2, "bash: python3: command not found")
    found = failed(cluster)
    assert found["reason"] == "ScriptFailed"
    assert "exit code 2" in found["message"]
    assert "python3: command not found" in found["message"]


def test_a_container_killed_for_memory_says_which_limit_to_raise() -> None:
    cluster = running()
    cluster.finish(cluster.pods()[0], 137, "", reason="OOMKilled")
    found = failed(cluster)
    assert found["reason"] == "OutOfMemory"
    assert "spec.resources.limits.memory" in found["message"]
    assert "exit code 137" in found["message"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("OutOfMemory", "OutOfMemory"),
        ("RendezvousFailed", "RendezvousFailed"),
        ("OutputUploadFailed", "OutputUploadFailed"),
        ("LauncherFailed", "LauncherFailed"),
        ("TorchNotFound", "TorchNotFound"),
        ("EntrypointNotFound", "EntrypointNotFound"),
        ("Stopped", "PodLost"),
        ("SomethingNew", "ScriptFailed"),
        ("not a reason!", "ScriptFailed"),
    ],
)
def test_the_launchers_reason_is_passed_on_where_it_is_known(said: str, reason: str) -> None:
    cluster = running()
    cluster.finish(cluster.pods()[0], 1, {"reason": said, "message": "Because."})
    assert failed(cluster)["reason"] == reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{" * 5000,
        json.dumps({"reason": 7, "message": [], "logTail": {}, "output": 1, "progress": "x"}),
        json.dumps({"progress": {"step": -1, "metrics": {"a": "b"}, "time": "now"}, "time": "x"}),
    ],
)
def test_whatever_a_users_container_leaves_as_its_word_is_survived(text: str) -> None:
    cluster = running()
    cluster.finish(cluster.pods()[0], 1, text)
    assert failed(cluster)["message"]


def test_an_evicted_pod_is_lost_and_says_why() -> None:
    cluster = running()
    pod = cluster.pods()[0]
    pod["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on memory",
    }
    found = failed(cluster)
    assert found["reason"] == "PodLost"
    assert "(Evicted): The node was low on memory." in found["message"]


@pytest.mark.parametrize(
    "why",
    [
        'Usage of EmptyDir volume "output" exceeds the limit "1Gi". ',
        "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ",
        'Container trainer exceeded its local ephemeral storage limit "2Gi". ',
    ],
)
def test_a_pod_that_writes_more_than_it_may_has_failed_and_was_not_lost(why: str) -> None:
    cluster = running()
    pod = cluster.pods()[0]
    pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": why}
    found = failed(cluster)
    assert found["reason"] == "DiskFull"
    assert why.strip() in found["message"]
    assert "spec.volumeSizes" in found["message"]
    assert cluster.status["failure"]["disruption"] is False


def test_the_deadline_is_told_with_what_was_wrong_until_then() -> None:
    cluster = Cluster(spec(activeDeadlineSeconds=60))
    cluster.settle()
    cluster.pods()[0]["status"] = waiting(
        "trainer", "CreateContainerConfigError", 'secret "keys" not found'
    )
    cluster.settle()
    cluster.wait(60)
    found = failed(cluster)
    assert found["reason"] == "DeadlineExceeded"
    assert "spec.activeDeadlineSeconds, 60 s" in found["message"]
    assert 'secret "keys" not found' in found["message"]


def test_a_running_job_that_exceeds_its_deadline_fails() -> None:
    cluster = running(activeDeadlineSeconds=60)
    cluster.wait(61)
    assert failed(cluster)["reason"] == "DeadlineExceeded"


def test_the_pods_word_is_waited_for_a_moment_before_the_end_is_told() -> None:
    cluster = running()
    pod = cluster.pods()[0]
    cluster.finish(pod, 3, script_failed())
    cluster.control()
    late, pod["status"] = pod["status"], {"phase": "Running"}
    assert cluster.reconcile().requeue_after == 1
    assert cluster.status["phase"] == "Running"
    pod["status"] = late
    assert failed(cluster)["reason"] == "ScriptFailed"


def test_a_failure_whose_pods_are_gone_is_told_in_the_jobs_words() -> None:
    cluster = running()
    cluster.finish(cluster.pods()[0], 3, script_failed())
    cluster.control()
    for pod in cluster.all_pods():
        cluster.delete(ObjectRef.of(pod))
    cluster.wait(11)
    found = failed(cluster)
    assert found["reason"] == "JobFailed"
    assert "BackoffLimitExceeded" in found["message"]


def test_the_last_progress_of_a_failed_job_is_kept() -> None:
    cluster = running()
    progress = {"step": 5, "totalSteps": 10, "metrics": {"loss": 0.25}, "time": 1767268800}
    cluster.finish(cluster.pods()[0], 3, script_failed(progress=progress))
    failed(cluster)
    assert cluster.status["progress"] == {
        "step": 5,
        "totalSteps": 10,
        "percent": 50,
        "metrics": {"loss": "0.25"},
        "lastReportTime": "2026-01-01T12:00:00Z",
    }


def test_messages_and_events_stay_within_the_apis_limits() -> None:
    cluster = running()
    cluster.finish(cluster.pods()[0], 1, script_failed(logTail="ü" * 20000))
    assert len(failed(cluster)["message"]) <= 8192
    assert all(len(message.encode()) <= 1024 for _, _, message in cluster.events)


def test_a_last_word_with_half_a_character_is_told_all_the_same() -> None:
    cluster = running()
    word = {"reason": "EntrypointNotFound", "exitCode": 1, "message": "The files: caf\udce9.py."}
    cluster.finish(cluster.pods()[0], 1, word)
    assert "The files: caf?.py." in failed(cluster)["message"]


@pytest.mark.parametrize("text", ["NCCL" * 1024, "nccl\u2028" * 800, "NCCL re abo " * 340])
def test_what_pods_write_at_their_end_is_soon_read_whatever_it_is(text: str) -> None:
    over = {"exitCode": 1, "message": text, "finishedAt": "2026-01-01T12:00:01Z"}
    pods = underway(nodes=2).pods()
    for pod in pods:
        main = {"name": "trainer", "state": {"terminated": over}}
        pod["status"] = {"phase": "Failed", "containerStatuses": [main]}
    begun = time.thread_time()
    for _ in range(20):
        assert first_failure([JobPod(pod, "trainer") for pod in pods])
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize(
    ("tail", "first"),
    [
        ("NCCL WARN NET/IB: Got completion from peer: remote process exited", "culprit"),
        ("x\nnccl error: NCCL communicator was aborted on rank 1", "culprit"),
        ("remote NCCL\nabort", "follower"),
    ],
)
def test_a_partner_that_is_gone_is_known_by_its_line(tail: str, first: str) -> None:
    cluster = running(nodes=2)
    follower, culprit = cluster.pods()
    cluster.finish(follower, 1, script_failed(exitCode=1, time=100.1, logTail=f"{tail} follower"))
    cluster.finish(culprit, 3, script_failed(time=100.2, logTail="culprit"))
    assert failed(cluster)["message"].endswith(first)
