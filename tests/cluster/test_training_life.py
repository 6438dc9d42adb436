"""Groups on the cluster that lose a pod, a process or their patience, and go on all the same."""

import os
import signal
from pathlib import Path

import pytest

from tests.cluster.support import Space, condition, processes_of, source, training_job
from tests.harness import Object
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

COLLECTIVE = """
import os, pathlib, time, torch, torch.distributed
torch.distributed.init_process_group("gloo")
deadline = time.monotonic() + 3600
while os.environ["SLIPWAY_ATTEMPT"] == "0" and time.monotonic() < deadline:
    torch.distributed.all_reduce(torch.ones(1))
    time.sleep(0.2)
pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "attempt.txt").write_text("done")
"""
HANGS = """
import os, time
import slipway_runtime as slipway
slipway.report(1, 9)
deadline = time.monotonic() + 3600
while os.environ["SLIPWAY_ATTEMPT"] == "0" and time.monotonic() < deadline:
    time.sleep(1)
slipway.report(9, 9)
"""


@pytest.fixture(scope="module")
def space(shared: Space) -> Space:
    """All jobs of this module, begun together; each test looks at its own."""
    shared.apply(
        source("collective", main=COLLECTIVE),
        source("hangs", main=HANGS),
        training_job("deleted", "collective", nodes=2),
        training_job("killed", "collective", nodes=2, restart={"maxRestarts": 1}),
        training_job("hung", "hangs", progressDeadlineSeconds=75, restart={"maxRestarts": 1}),
        training_job("impatient", "later", queueDeadlineSeconds=5),
    )
    return shared


def pods(space: Space, name: str) -> list[Object]:
    selector = f"slipway.dev/training-job={name},slipway.dev/component=trainer"
    return sorted(space.pods(selector), key=lambda pod: str(pod["metadata"]["name"]))


def test_a_pod_that_is_deleted_takes_its_group_along_and_the_group_starts_again(
    space: Space,
) -> None:
    space.wait_for_phase("deleted", "Running")
    lost = pods(space, "deleted")[1]["metadata"]["name"]
    space.kubectl.run("delete", "pod", lost, "--wait=false")
    status = space.wait_for_phase("deleted", "Succeeded", "Failed")["status"]
    assert (status["phase"], status["attempt"], status["restarts"]) == ("Succeeded", 1, 0)
    assert status["failure"]["disruption"] is True
    assert status["failure"]["pod"] == lost


def test_a_process_that_is_killed_is_told_from_its_peer_which_does_not_hang(space: Space) -> None:
    space.wait_for_phase("killed", "Running")
    victim = pods(space, "killed")[1]
    _kill_script(victim)
    status = space.wait_for_phase("killed", "Succeeded", "Failed")["status"]
    assert (status["phase"], status["attempt"], status["restarts"]) == ("Succeeded", 1, 1)
    failure = status["failure"]
    assert (failure["pod"], failure["signal"]) == (victim["metadata"]["name"], "SIGKILL"), failure
    assert status["output"]["files"] == 1


def _kill_script(pod: Object) -> None:
    """Kill the training process of a pod, as an out-of-memory killer on the node would."""

    def scripts() -> list[int]:
        return [pid for pid in processes_of(pod) if _is_script(pid)]

    (pid, *_) = wait_for(scripts, 180, f"the script of {pod['metadata']['name']} runs")
    _signal(pid)


def _is_script(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return (
        b"/slipway/source/main.py" in command
        and b"slipway_runtime.launcher.torchrun" not in command
    )


def _signal(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_script_that_hangs_is_started_again(space: Space) -> None:
    status = space.wait_for_phase("hung", "Succeeded", "Failed")["status"]
    assert (status["phase"], status["restarts"]) == ("Succeeded", 1)
    assert status["failure"]["reason"] == "ProgressDeadlineExceeded"


def test_a_job_that_waits_too_long_for_its_source_fails(space: Space) -> None:
    failed = condition(space.wait_for_phase("impatient", "Failed"), "Failed")
    assert failed["reason"] == "QueueDeadlineExceeded"
    assert "later" in failed["message"]
