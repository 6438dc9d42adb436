"""The ports that tests give to their servers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.ports import free_port, free_ports

RUN = "from tests.harness.ports import free_ports; print(*free_ports(1000))"


@pytest.mark.parametrize("given", [0, 700])
def test_servers_that_start_one_after_another_have_different_ports(given: int) -> None:
    free_ports(given)
    ports = [free_port() for _ in range(400)]

    assert len(set(ports)) == len(ports)
    assert not set(free_ports(400)) & set(ports)


def test_a_run_of_tests_beside_this_one_has_other_ports(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN]
    free_port()
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    beside = subprocess.run(command, capture_output=True, check=True, env=env)
    assert not {int(port) for port in beside.stdout.split()} & set(free_ports(1000))
