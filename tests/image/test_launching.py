"""The launcher with the real torchrun: what it hands on, where it runs, and how it stops."""

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.agent.agent import hand_out
from slipway_pods.agent.answering import AnsweringServer, Send
from slipway_runtime.control import SOCKET_NAME
from tests.harness.ports import free_port
from tests.harness.trainer import DEADLINE, Enter
from tests.harness.waiting import wait_for
from tests.image.conftest import SCRIPTS

pytestmark = pytest.mark.image

PROGRAM = 'echo $$ > "$0"; exec "$@"'
"""Leaves the launcher's process ID in a file: the image sees this machine's processes."""


def stored(_: Mapping[str, Any], send: Send) -> None:
    send({"event": "done", "output": None})


@dataclass
class Pod:
    """A trainer container's folders, and the launcher in the image."""

    root: Path
    enter: Enter

    @property
    def word(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "termination-log").read_text())
        return found

    def start(self, *args: str, **env: str) -> "subprocess.Popen[str]":
        """Start the launcher with a script's arguments."""
        told = {
            "HOME": str(self.root),
            "OMP_NUM_THREADS": "1",
            "SLIPWAY_SOURCE_DIR": str(self.root / "src"),
            "SLIPWAY_WORK_DIR": str(self.root / "work"),
            "SLIPWAY_OUTPUT_DIR": str(self.root / "output"),
            "SLIPWAY_RUN_DIR": str(self.root / "run"),
            "SLIPWAY_AGENT_DIR": str(self.root / "agent"),
            "SLIPWAY_NODES": "1",
            "SLIPWAY_PROCESSES_PER_NODE": "1",
            "SLIPWAY_RDZV_ENDPOINT": f"localhost:{free_port()}",
            "SLIPWAY_RDZV_ID": "uid",
            "SLIPWAY_LOCAL_ADDR": "localhost",
            "SLIPWAY_TERMINATION_LOG": str(self.root / "termination-log"),
            **env,
        }
        variables = ("env", *(f"{name}={value}" for name, value in told.items()))
        launcher = ("/opt/venv/bin/python3", str(self.root / "agent/launch.py"), "--", *args)
        shell = ("sh", "-c", PROGRAM, str(self.root / "pid"))
        return subprocess.Popen(
            self.enter([*variables, *shell, *launcher]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def pod(inside: tuple[Path, Enter]) -> Iterator[Pod]:
    """A pod whose sidecar stores nothing."""
    folder, enter = inside
    root = folder / "launched"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("run", "agent", "output"):
        (root / name).mkdir(parents=True)
    shutil.copytree(SCRIPTS, root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    hand_out(root / "agent")
    server = AnsweringServer(root / "agent" / SOCKET_NAME, stored)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Pod(root, enter)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "program", [{"SLIPWAY_ENTRYPOINT": "arguments.py"}, {"SLIPWAY_MODULE": "arguments"}]
)
def test_a_script_gets_all_its_arguments_and_a_folder_to_write_in(
    pod: Pod, program: dict[str, str]
) -> None:
    before = sorted(path.name for path in (pod.root / "src").iterdir())
    args = ["--r=16", "--log", "x", "--", "--nnodes=9", "-m"]
    launched = pod.start(*args, **program, PYTHONDONTWRITEBYTECODE="1")
    log, _ = launched.communicate(timeout=DEADLINE)
    assert launched.returncode == 0, log
    told = json.loads((pod.root / "output/told.json").read_text())
    assert told == {"args": args, "here": str(pod.root / "work"), "beside": "beside"}
    assert (pod.root / "work/lightning_logs/version_0").is_dir()
    assert sorted(path.name for path in (pod.root / "src").iterdir()) == before


def stopped(pod: Pod, grace: str, seconds: str) -> str:
    """Launch a script that takes some seconds to stop, stop its pod, and return the log."""
    env = {"SLIPWAY_ENTRYPOINT": "slow_to_stop.py", "SECONDS": seconds}
    launched = pod.start(**env, SLIPWAY_GRACE_SECONDS=grace)
    wait_for((pod.root / "output/up").exists, DEADLINE, "the script runs")
    (pid,) = (pod.root / "pid").read_text().split()
    subprocess.run(["kill", f"-{signal.SIGTERM.name[3:]}", pid], check=True)
    log, _ = launched.communicate(timeout=DEADLINE)
    assert pod.word["reason"] == "Stopped", log
    return log


def test_a_script_that_takes_long_to_stop_has_the_pods_grace_period(pod: Pod) -> None:
    log = stopped(pod, grace="90", seconds="2")
    assert (pod.root / "output/ended").exists(), log
    assert "forcefully exiting" not in log


def test_torchrun_ends_a_script_before_the_pods_grace_period_does(pod: Pod) -> None:
    """By its own default torchrun would wait 30 s here, and the kubelet 9 s."""
    log = stopped(pod, grace="9", seconds="60")
    assert "forcefully exiting" in log
    assert not (pod.root / "output/ended").exists()
