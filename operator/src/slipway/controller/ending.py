"""The end of the process, which no part can hold up.

A replica that has lost its Lease must end, so that one that works takes its place: a task that
does not take its cancellation would keep it there, neither acting nor gone.
"""

import asyncio
import contextlib
import io
import logging
import os
import sys
from typing import NoReturn

_LOG = logging.getLogger(__name__)
END_SECONDS = 20.0
"""How long all parts together may take to end; Kubernetes kills a pod after 30 seconds."""
FAILED = 1
"""Exit status of a process that had to be ended so."""


def end_within(seconds: float, status: int = FAILED) -> None:
    """End the process after so many seconds, unless its event loop has ended before.

    What holds it up is logged: the stack of each task that has not ended.
    """
    asyncio.get_running_loop().call_later(seconds, _leave, seconds, status)


def leave(status: int) -> NoReturn:
    """End the process at once, with an exit status, when its event loop has ended.

    Python would wait for each thread that asks for a host's name, and for all that wait to ask:
    minutes, where no name server answers.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _leave(seconds: float, status: int) -> None:
    try:
        for task in asyncio.all_tasks():
            stack = io.StringIO()
            task.print_stack(file=stack)
            _LOG.error("A task has not ended in %.0f s: %s", seconds, stack.getvalue().strip())
    finally:
        leave(status)
