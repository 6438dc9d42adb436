"""How a run ended: the container's termination message."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.checkpoint.files import SAVED, read_ledger
from slipway_runtime.checkpoint.saving import STOPPED
from slipway_runtime.launcher.run_settings import Settings
from slipway_runtime.termination import (
    EX_SIGTERM,
    STOPPED_REASON,
    read_json,
    read_tail,
    signal_name,
)

_KILLED = 128 + signal.SIGKILL
"""What a shell ends with where its program was killed."""
_OUT_OF_MEMORY = (
    "the container reached its memory limit: raise spec.resources.limits.memory, or let the "
    "script use less."
)


def describe_failure(exit_code: int, log_dir: Path, out_of_memory: bool) -> dict[str, Any]:
    """Return the termination message of a torchrun or a command that failed."""
    failure = read_json(log_dir / "failure.json")
    if failure is None or "launcher" in failure:
        how = signal_name(exit_code) or f"exit code {exit_code}"
        return {
            "reason": "LauncherFailed",
            "exitCode": positive(exit_code),
            "signal": signal_name(exit_code),
            "message": f"torchrun itself ended with {how}.",
            "logTail": (failure or {}).get("launcher"),
        }
    if "notStarted" in failure:
        why = f"The command {failure['notStarted']}"
        return {"reason": "CommandNotExecutable", "exitCode": 1, "message": why}
    if "rendezvous" in failure:
        return {
            "reason": "RendezvousFailed",
            "exitCode": 1,
            "message": f"The pods did not find each other ({failure['rendezvous']}): look whether "
            "all of them were scheduled and could start.",
        }
    return describe_rank(failure, rank_tail(log_dir, failure["localRank"]), out_of_memory)


def describe_rank(failure: Mapping[str, Any], tail: str, out_of_memory: bool) -> dict[str, Any]:
    """Return the termination message for the first rank that failed."""
    code, rank = int(failure["exitCode"]), failure["rank"]
    name = signal_name(code)
    how = f"was killed by {name}" if name else f"exited with code {code}"
    what = failure.get("what") or f"Rank {rank} of the training script"
    reason, message = "ScriptFailed", f"{what} {how}."
    if out_of_memory and name == "SIGKILL":
        reason, message = "OutOfMemory", f"Rank {rank} was killed because {_OUT_OF_MEMORY}"
    elif out_of_memory and code == _KILLED:
        reason, message = "OutOfMemory", f"{what} {how}: a process was killed as {_OUT_OF_MEMORY}"
    elif out_of_memory:
        message += f" Before that a process of it was killed as {_OUT_OF_MEMORY}"
    return {
        "reason": reason,
        "exitCode": positive(code),
        "signal": name,
        "message": message,
        "rank": rank,
        "time": failure.get("time"),
        "logTail": tail,
    }


def checkpoint_failure() -> dict[str, Any] | None:
    """Return the termination message of a run whose checkpoints were lost; None for any other."""
    folder = os.environ.get("SLIPWAY_RESTORE_DIR")
    failure = read_ledger(Path(folder)).failure if folder else None
    if not failure:
        return None
    return {"reason": "CheckpointFailed", "exitCode": 1, "message": failure}


def positive(exit_code: int) -> int:
    """Return an exit code as a shell does: 128 + N where signal N ended the process."""
    return 128 - exit_code if exit_code < 0 else exit_code


def rank_tail(log_dir: Path, local_rank: int) -> str:
    """Return the tail of what a local rank wrote to stderr, or where that is empty, to stdout."""
    for name in ("stderr.log", "stdout.log"):
        logs = sorted(log_dir.glob(f"*/attempt_*/{local_rank}/{name}"))
        tail = read_tail(logs[-1]) if logs else ""
        if tail:
            return tail
    return ""


def stopped_message(told: float | None) -> dict[str, Any]:
    """Return the termination message of a run that was told to stop, and when.

    The kubelet tells ends in whole seconds only, and a group's pods go within one.
    """
    return {
        "reason": STOPPED_REASON,
        "exitCode": EX_SIGTERM,
        "signal": "SIGTERM",
        "time": told,
        "message": "The pod was told to stop before the training was done.",
    }


def stopped_together(settings: Settings, log_dir: Path) -> dict[str, Any] | None:
    """Return the termination message of ranks that saved and ended as another pod has to stop.

    The exit code alone says nothing: a program of its own may end with it.
    """
    failure = read_json(log_dir / "failure.json") or {}
    if failure.get("exitCode") != STOPPED or not (settings.run_dir / SAVED).exists():
        return None
    why = "The group stopped as one of its pods had to."
    return {**stopped_message(time.time()), "message": why}
