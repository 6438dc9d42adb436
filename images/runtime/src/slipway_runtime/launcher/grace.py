"""The time between SIGTERM and the end of a pod: the script may save before it is told to stop.

A script that saves checkpoints hears of the pod's end through a file, and ends by itself when its
last one is written; torchrun, which would give it 30 s and tell it nothing, is stopped after that.
A script that does not hear, since it waits for a peer that is gone, is stopped when it should have.
Any other script gets SIGTERM at once.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from slipway_runtime.checkpoint.files import SAVED, SAVES, SAVING, STOPPING
from slipway_runtime.termination import read_json

RESERVE_SECONDS = 10.0
"""Part of the pod's grace period that is left for the processes to end."""
HEARING_SECONDS = 10.0
"""Shortest time that a script has to hear of the pod's end."""
PAUSE_SECONDS = 0.1


def stop(child: subprocess.Popen[bytes], env: Mapping[str, str] = os.environ) -> None:
    """Stop a child as soon as what it runs has saved, or its time is over; returns at once."""
    run_dir = Path(env["SLIPWAY_RUN_DIR"])
    seconds = float(env.get("SLIPWAY_GRACE_SECONDS", "0")) - RESERVE_SECONDS
    with contextlib.suppress(OSError):
        (run_dir / STOPPING).touch()
    if seconds <= 0 or not (run_dir / SAVES).exists():
        child.terminate()
        return
    threading.Thread(target=_wait, args=(child, run_dir, seconds), daemon=True).start()


def _wait(child: subprocess.Popen[bytes], run_dir: Path, seconds: float) -> None:
    begin = time.monotonic()
    pause = read_json(run_dir / SAVES)
    hearing = max(HEARING_SECONDS, 3 * pause if isinstance(pause, (int, float)) else 0.0)
    while child.poll() is None and not (run_dir / SAVED).exists():
        longest = seconds if (run_dir / SAVING).exists() else min(seconds, hearing)
        if time.monotonic() - begin > longest:
            break
        time.sleep(PAUSE_SECONDS)
    child.terminate()
