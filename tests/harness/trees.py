"""A process with all that it has started: who they are, and how they are ended."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

STOP_SECONDS = 60.0


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all that it, and theirs, have started and not lost."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def end_tree(process: "subprocess.Popen[bytes]") -> None:
    """End a process by SIGTERM, and what it leaves of its tree: TorchServe leaves its workers."""
    pids = list(tree(process.pid))
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
