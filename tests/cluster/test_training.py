"""TrainingJobs on the cluster: how they fail, wait, stop and go on."""

import pytest

from tests.cluster.support import Space, condition, phase, source, training_job
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

TOKEN = {
    "name": "TOKEN",
    "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}},
}
GPU_SCRIPT = """
import os
assert os.environ["SLIPWAY_BACKEND"] == "nccl"
assert os.environ["WORLD_SIZE"] == "2"
"""
WRITE_OUTPUT = """
import os, pathlib
pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "result.txt").write_text("done")
"""
HANDLER = """
def handle(data, context):
    return data
"""
SLEEP = """
import time
deadline = time.monotonic() + 3600
while time.monotonic() < deadline:
    time.sleep(1)
"""
FAIL = """
import sys
print("reading the data")
raise ValueError("the learning rate must be positive")
"""


@pytest.fixture(scope="module")
def space(shared: Space) -> Space:
    """All jobs of this module, begun together; each test looks at its own."""
    gpus = {"limits": {"nvidia.com/gpu": 2}}
    more = {"limits": {"nvidia.com/gpu": 64}}
    package = {"serializedFile": "weights.pt", "handler": "handler.py"}
    shared.apply(
        source("fail", main=FAIL),
        source("sleep", main=SLEEP),
        source("write", main=WRITE_OUTPUT, handler=HANDLER),
        source("gpu", main=GPU_SCRIPT),
        training_job("fails", "fail"),
        training_job("retries", "fail", restart={"maxRestarts": 1}),
        training_job("waits", "later"),
        training_job("keyless", "write", env=[TOKEN]),
        training_job("pauses", "sleep"),
        training_job("slow", "sleep", activeDeadlineSeconds=20),
        training_job("brief", "write"),
        training_job("gpus", "gpu", resources=gpus),
        training_job("greedy", "gpu", resources=more),
        training_job("fileless", "write", package=package),
        training_job("gone", "sleep", nodes=2),
    )
    return shared


def test_a_failing_script_ends_in_failed_with_its_exit_code_and_last_lines(space: Space) -> None:
    failed = condition(space.wait_for_phase("fails", "Failed"), "Failed")
    assert failed["reason"] == "ScriptFailed"
    assert "exit code 1" in failed["message"]
    assert "ValueError: the learning rate must be positive" in failed["message"]


def test_a_failed_attempt_is_repeated_as_often_as_may_be(space: Space) -> None:
    job = space.wait_for_phase("retries", "Failed")
    assert (job["status"]["attempt"], job["status"]["restarts"]) == (1, 1)


def test_a_job_waits_for_its_config_map_and_then_runs(space: Space) -> None:
    created = space.wait_for_reason("trainingjob", "waits", "Created", "SourceNotFound")
    assert "later" in created["message"]
    space.apply(source("later", other="pass"))
    missing = space.wait_for_reason("trainingjob", "waits", "Created", "EntrypointNotFound")
    assert "main.py" in missing["message"]
    assert "other.py" in missing["message"]
    space.apply(source("later", main=WRITE_OUTPUT))
    job = space.wait_for_phase("waits", "Succeeded", "Failed")
    assert phase(job) == "Succeeded"
    assert job["status"]["output"]["files"] == 1


def test_a_job_with_a_missing_secret_says_so_and_then_runs(space: Space) -> None:
    running = space.wait_for_reason("trainingjob", "keyless", "Running", "SecretNotFound")
    assert "token" in running["message"]
    space.kubectl.run("create", "secret", "generic", "token", "--from-literal=value=x")
    assert phase(space.wait_for_phase("keyless", "Succeeded", "Failed")) == "Succeeded"


def test_a_suspended_job_gives_up_its_pods_and_goes_on_when_resumed(space: Space) -> None:
    space.wait_for_phase("pauses", "Running")
    patch = ("patch", "tj", "pauses", "--type=merge", "-p")
    space.kubectl.run(*patch, '{"spec":{"suspend":true}}')
    space.wait_for_phase("pauses", "Suspended")
    pods = "slipway.dev/training-job=pauses"
    space.wait_until_gone("pods", pods)
    space.kubectl.run(*patch, '{"spec":{"suspend":false}}')
    space.wait_for_phase("pauses", "Running")
    space.kubectl.delete("trainingjob", "pauses")


def test_a_job_that_outlives_its_deadline_fails_with_that_reason(space: Space) -> None:
    job = space.wait_for_phase("slow", "Failed")
    assert condition(job, "Failed")["reason"] == "DeadlineExceeded"


def test_a_finished_job_is_deleted_after_its_time_and_never_gets_children_back(
    space: Space,
) -> None:
    space.wait_for_phase("brief", "Succeeded")
    space.kubectl.delete("job", "brief-train")
    patch = ("patch", "tj", "brief", "--type=merge", "-p")
    space.kubectl.run(*patch, '{"spec":{"backoffLimit":3}}')
    space.wait(
        "trainingjob",
        "brief",
        lambda job: job["status"]["observedGeneration"] == job["metadata"]["generation"],
        240,
    )
    assert space.kubectl.get("job", "brief-train") is None
    space.kubectl.run(*patch, '{"spec":{"ttlSecondsAfterFinished":1}}')
    wait_for(lambda: not space.job("brief"), 240, "the finished job is deleted", space.report)


def test_a_gpu_job_is_scheduled_on_gpus_with_nccl_and_a_process_for_each(space: Space) -> None:
    assert phase(space.wait_for_phase("gpus", "Succeeded", "Failed")) == "Succeeded"


def test_a_job_that_asks_for_more_gpus_than_there_are_says_that_it_waits(space: Space) -> None:
    running = space.wait_for_reason("trainingjob", "greedy", "Running", "Unschedulable")
    assert "nvidia.com/gpu" in running["message"]


def test_a_package_without_its_file_fails_and_names_the_files_there_are(space: Space) -> None:
    failed = condition(space.wait_for_phase("fileless", "Failed"), "Failed")
    assert failed["reason"] == "PackagingFailed"
    assert "weights.pt" in failed["message"]
    assert "result.txt" in failed["message"]


def test_deleting_a_job_takes_its_children_along(space: Space) -> None:
    space.wait_for_phase("gone", "Running")
    space.kubectl.delete("trainingjob", "gone")
    selector = "slipway.dev/training-job=gone"
    for kind in ("jobs", "pods", "services"):
        space.wait_until_gone(kind, selector)
