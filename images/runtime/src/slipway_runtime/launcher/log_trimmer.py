"""Keeps the files that torchrun writes each rank's output to from filling the node's disk.

The container's log is rotated by the kubelet; these files are not, and the launcher needs only
their ends. Their beginnings are given back to the file system by punching holes: a file's size, and
so the position of whoever reads or writes it, stays as it is. See fallocate(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from pathlib import Path

KEEP_SIZE, PUNCH_HOLE = 0x01, 0x02
KEPT_BYTES = 16 * 1024 * 1024
PAUSE_SECONDS = 15.0


class LogTrimmer:
    """Trims all logs under a folder now and then, in a thread, while used as a context."""

    def __init__(self, folder: Path, kept: int = KEPT_BYTES, pause: float = PAUSE_SECONDS) -> None:
        self._folder = folder
        self._kept = kept
        self._pause = pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> LogTrimmer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(self._pause):
            trim(self._folder, self._kept)


def trim(folder: Path, kept: int) -> None:
    """Give back all but the last ``kept`` bytes of each log under a folder.

    Does nothing where the system or the file system cannot punch holes.
    """
    for log in folder.rglob("*.log"):
        with contextlib.suppress(OSError):
            size = log.stat().st_size
            if size > 2 * kept:
                punch(log, size - kept)


def punch(path: Path, length: int) -> None:
    """Make a hole of ``length`` bytes at a file's beginning; raises OSError where that fails."""
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if fallocate is None:
        raise OSError(f"{path} stays as it is: the system has no fallocate")
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    handle = os.open(path, os.O_WRONLY)
    try:
        if fallocate(handle, KEEP_SIZE | PUNCH_HOLE, 0, length) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(handle)
