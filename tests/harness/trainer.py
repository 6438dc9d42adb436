"""One training job's pods, played by torchrun and the keeper of checkpoints beside it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway_pods.agent.agent import hand_out
from slipway_runtime.checkpoint import files
from tests.harness.ports import free_port
from tests.harness.waiting import wait_for

Enter = Callable[[Sequence[str]], Sequence[str]]
"""Turns a command into one that runs where torch is."""
DEADLINE = 120.0
"""Generous time for one short training on a busy machine with two cores, in seconds."""


@dataclass
class Outcome:
    """How a training ended: its exit code, and what the processes said."""

    code: int
    log: str

    def said(self, word: str) -> list[str]:
        """Return what followed a word at the begin of a line, of each process."""
        lines = (line.split(" ", 1) for line in self.log.splitlines() if line.startswith(word))
        return [line[1] if len(line) > 1 else "" for line in lines]


@dataclass
class Trainer:
    """One job's pods, one after the other.

    ``scripts`` is the folder of the scripts, ``store`` the keeper's variables, ``python`` the
    interpreter that has torch, and ``inside`` enters the image that has it.
    """

    root: Path
    scripts: Path
    store: Mapping[str, str]
    python: str
    inside: Enter = lambda command: command
    env: dict[str, str] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return the script's last report, as the sidecar reads it."""
        found: dict[str, Any] = json.loads((self.root / "pod/run/progress.json").read_text())
        return found

    def train(self, script: str, processes: int, **env: str) -> Outcome:
        """Run a script under torchrun in a fresh pod, until it and the keeper have ended."""
        pod = self.root / "pod"
        shutil.rmtree(pod, ignore_errors=True)
        for name in ("run", "agent", "save", "restore"):
            (pod / name).mkdir(parents=True)
        hand_out(pod / "agent")
        shutil.copytree(self.scripts, pod / "src")
        told = {
            "SLIPWAY_RUN_DIR": str(pod / "run"),
            "SLIPWAY_AGENT_DIR": str(pod / "agent"),
            "SLIPWAY_CHECKPOINT_DIR": str(pod / "save"),
            "SLIPWAY_RESTORE_DIR": str(pod / "restore"),
            "SLIPWAY_JOB_UID": "abcdef12",
            "SLIPWAY_CHECKPOINT_INTERVAL_STEPS": "10",
            "SLIPWAY_BACKEND": "gloo",
            **self.env,
            **env,
        }
        keeper = self._keep(pod, told)
        try:
            return self._torchrun(pod, script, processes, told)
        finally:
            keeper.send_signal(signal.SIGTERM)
            assert keeper.wait(timeout=60) == 0

    def _keep(self, pod: Path, told: dict[str, str]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "slipway_pods.agent.checkpoint_agent"]
        keeper = subprocess.Popen(command, env={**os.environ, **told, **self.store})
        wait_for((pod / "agent" / files.SOCKET_NAME).exists, 60, "the keeper answers")
        return keeper

    def _torchrun(self, pod: Path, script: str, processes: int, told: dict[str, str]) -> Outcome:
        told = {**told, "PYTHONPATH": str(pod / "agent" / "lib"), "OMP_NUM_THREADS": "1"}
        told = {**told, "HOME": str(pod), "HF_HUB_OFFLINE": "1"}
        command = self.inside(
            [
                *("env", *(f"{name}={value}" for name, value in told.items())),
                *(self.python, "-m", "torch.distributed.run"),
                *("--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}"),
                *("--local-addr=127.0.0.1", f"--nproc-per-node={processes}"),
                str(pod / "src" / script),
            ]
        )
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE
        )
        return Outcome(ended.returncode, ended.stdout)
