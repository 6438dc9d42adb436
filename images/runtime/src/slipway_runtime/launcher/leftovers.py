"""Ending what a program leaves behind: helpers, loggers and orphans that outlive it.

The end of a script is not the end of all its processes. A container's first process inherits the
orphans of all others; where the launcher is not the first, it asks the kernel for the same.
Source: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

from slipway_runtime.termination import join_names, say

PATIENCE_SECONDS = 5.0
"""How long processes have to end after SIGTERM, before SIGKILL."""
KILL_SECONDS = 5.0
"""How long SIGKILL is repeated, while processes that were killed have made others."""
_PAUSE_SECONDS = 0.05
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of all orphans among its descendants, where Linux can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[int]:
    """Return the process IDs of all that descends from this process and has not ended."""
    children: dict[int, list[int]] = {}
    ended: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent = _stat(folder)
            children.setdefault(parent, []).append(int(folder.name))
            if state in "ZX":
                ended.add(int(folder.name))
    reached, queue = [], [os.getpid()]
    while queue:
        own = children.pop(queue.pop(), [])
        reached += own
        queue += own
    return [pid for pid in reached if pid not in ended]


def _stat(folder: Path) -> tuple[str, int]:
    """Return a process' state and its parent; the name before them may hold any character."""
    fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
    return fields[0].decode("ascii"), int(fields[1])


def end(patience: float = PATIENCE_SECONDS) -> None:
    """End all descendants: SIGTERM, and SIGKILL for those that are there ``patience`` s later."""
    left = _alive()
    if not left:
        return
    say(f"processes that the script left behind are ended: {join_names(list(map(_name, left)), 5)}")
    send(signal.SIGTERM, left)
    deadline = time.monotonic() + patience
    while _alive() and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    kill()


def kill() -> None:
    """Kill all descendants, and those that they make meanwhile."""
    deadline = time.monotonic() + KILL_SECONDS
    while left := _alive():
        send(signal.SIGKILL, left)
        if time.monotonic() >= deadline:
            say(f"processes that cannot be ended: {join_names(list(map(_name, left)), 5)}")
            return
        time.sleep(_PAUSE_SECONDS)


def send(signum: int, pids: list[int]) -> None:
    """Send a signal to processes, as far as they are there and are ours."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signum)


def _alive() -> list[int]:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return descendants()


def _name(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return str(pid)
