"""A test run that is killed leaves no control plane behind for longer than until the next run."""

import subprocess
import sys
from pathlib import Path

import pytest

from dev.cluster import daemon
from tests.harness.control_plane import control_plane
from tests.harness.waiting import wait_for

ROOT = Path(__file__).parents[2]
RUN = """
import time
from tests.harness.control_plane import control_plane
with control_plane() as running:
    print(running.plane.state, flush=True)
    time.sleep(3600)
"""


@pytest.mark.contract
def test_the_control_plane_of_a_killed_test_run_is_ended_by_the_next_one() -> None:
    command = [sys.executable, "-c", RUN]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        left = Path(next(line for line in run.stdout if "slipway-control-plane-" in line).strip())
        behind = daemon.all_recorded(left).values()
        run.kill()
        run.wait()
    assert {one.program for one in behind} == {"etcd", "kube-apiserver"}
    with control_plane():
        assert not any(one.alive for one in behind)
        wait_for(lambda: not left.exists(), 60, "its folder is removed")
