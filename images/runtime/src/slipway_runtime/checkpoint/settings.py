"""What the operator tells the script of checkpoints: the variables ``SLIPWAY_CHECKPOINT_*``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway_runtime.checkpoint.files import SOCKET_NAME, owner_of
from slipway_runtime.control import agent_dir


class CheckpointError(Exception):
    """A checkpoint cannot be kept or restored; the text is one sentence that says why."""


@dataclass(frozen=True)
class Settings:
    """Where saves go, how often they are due, and this process' place among all.

    A node is a pod; ``leader`` is one process of each.
    """

    save_dir: Path
    restore_dir: Path
    run_dir: Path
    agent_dir: Path
    owner: str
    interval_steps: int | None
    interval_seconds: float | None
    rank: int
    size: int
    node: int
    nodes: int
    leader: bool

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Settings | None:
        """Read the settings; None outside Slipway, or for a job without ``spec.checkpoint``."""
        if not env.get("SLIPWAY_CHECKPOINT_DIR"):
            return None
        steps = env.get("SLIPWAY_CHECKPOINT_INTERVAL_STEPS")
        seconds = env.get("SLIPWAY_CHECKPOINT_INTERVAL_SECONDS")
        rank, size = int(env.get("RANK", "0")), int(env.get("WORLD_SIZE", "1"))
        return cls(
            save_dir=Path(env["SLIPWAY_CHECKPOINT_DIR"]),
            restore_dir=Path(env["SLIPWAY_RESTORE_DIR"]),
            run_dir=Path(env["SLIPWAY_RUN_DIR"]),
            agent_dir=agent_dir(env),
            owner=owner_of(env.get("SLIPWAY_JOB_UID", "")),
            interval_steps=int(steps) if steps else None,
            interval_seconds=float(seconds) if seconds else None,
            rank=rank,
            size=size,
            node=int(env.get("GROUP_RANK", rank)),
            nodes=int(env.get("GROUP_WORLD_SIZE", size)),
            leader=env.get("LOCAL_RANK", "0") == "0",
        )

    @property
    def socket(self) -> Path:
        """The socket on which the sidecar answers."""
        return self.agent_dir / SOCKET_NAME
