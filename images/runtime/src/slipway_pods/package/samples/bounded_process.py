"""Running what executes a user's code: a process of its own, of which nothing outlives its time."""

import contextlib
import os
import signal
import subprocess
import sys
from typing import IO


def run_module(module: str, *arguments: str, seconds: float, output: IO[bytes] | int) -> int | None:
    """Run a Python module and return its exit status; None if it had not ended in so many seconds.

    ``output`` gets what it prints. It has no input, and whatever it has started ends with it, as
    far as that stayed in its process group.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
