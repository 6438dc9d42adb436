"""Leaving Gloo's process groups before Python ends.

Gloo's threads may still hold the tensors of the last message then, and whoever gives an object back
to an interpreter that is ending is aborted (exit code 134), though the training went well. Source:
https://github.com/pytorch/pytorch/issues/190489
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 10.0
"""How long a script's end may be held up."""
_PAUSE_SECONDS = 0.01
_THREAD = "(pt_gloo_runloop)"
"""How the threads that send and receive are called in /proc; see proc_pid_stat(5)."""
_groups: list[Any] = []


def leave_at_exit(group: Any) -> None:
    """Have a Gloo group destroyed when the script ends, and its threads come to rest."""
    if not _groups:
        atexit.register(_leave)
    if group not in _groups:
        _groups.append(group)


def _leave() -> None:
    """Leave all groups, those last made first, within the time for it."""
    thread = threading.Thread(target=_destroy, daemon=True)
    try:
        thread.start()
    except RuntimeError:  # Python 3.12.0 to 3.12.2 starts none any more
        _destroy()
    else:
        thread.join(PATIENCE_SECONDS)


def _destroy() -> None:
    import torch.distributed as dist

    for group in reversed(_groups):
        with contextlib.suppress(AssertionError, RuntimeError, ValueError):
            dist.destroy_process_group(group)  # whoever left it before has no need of it
    _groups.clear()
    _rest()


def _rest() -> None:
    """Wait until no thread of Gloo works, for one lives on while the script holds its group.

    One that waits for the interpreter gets it during the pause. One that waits for another process'
    part of a message is not waited for: a script waits for its messages itself.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        if not any(map(_works, Path("/proc/self/task").glob("*/stat"))):
            return


def _works(stat: Path) -> bool:
    try:
        _, name, rest = stat.read_text(errors="replace").partition(_THREAD)
    except OSError:
        return False
    return bool(name) and rest.split()[0] == "R"
