"""Why a worker ended last, for whoever looks after the server: the page `/deaths`."""

import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CGROUP = Path("/sys/fs/cgroup")
_KILLS = ("memory.events", "memory/memory.oom_control")
"""Where Linux counts what it has killed for want of memory: by the second version of its control
groups, and by the first."""
_MOST_LOG = 2000
"""How many characters of what a worker printed last are told."""


def killed_for_memory(cgroup: Path = _CGROUP) -> int:
    """Return how many processes of this container the kernel has killed for want of memory.

    Formats: https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.events, and
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, memory.oom_control.
    """
    for name in _KILLS:
        with contextlib.suppress(OSError, ValueError):
            told = re.search(r"^oom_kill (\d+)$", (cgroup / name).read_text(), re.MULTILINE)
            return int(told[1]) if told else 0
    return 0


@dataclass
class Deaths:
    """How many workers have ended since the start; of the last one why, and what it printed.

    ``cause`` is the name of a signal, ``OOMKilled``, ``Timeout``, or ``exit CODE``; ``time`` is in
    seconds since 1970, and ``seconds`` how long it took until all workers were there again: None
    while they are not. ``cgroup`` is where Linux shows the container's control group.
    """

    cgroup: Path = _CGROUP
    count: int = 0
    cause: str = ""
    log: str = ""
    time: float = 0.0
    seconds: float | None = None
    _missing: int = 0
    _since: float = 0.0
    _killed: int = field(init=False)

    def __post_init__(self) -> None:
        self._killed = killed_for_memory(self.cgroup)

    def note(self, status: int, log: str, *, is_late: bool) -> None:
        """Note a worker's end by what `os.waitpid` told; one that is late was ended for that."""
        killed = killed_for_memory(self.cgroup)
        is_out_of_memory, self._killed = killed > self._killed, killed
        self.count += 1
        self.log, self.time, self.seconds = log[-_MOST_LOG:], time.time(), None
        if not self._missing:
            self._since = time.monotonic()
        self._missing += 1
        if is_late:
            self.cause = "Timeout"
        elif not os.WIFSIGNALED(status):
            self.cause = f"exit {os.waitstatus_to_exitcode(status)}"
        elif is_out_of_memory:
            self.cause = "OOMKilled"
        else:
            self.cause = signal.Signals(os.WTERMSIG(status)).name

    def note_ready(self) -> None:
        """Note that one that ended has another in its place, which is ready."""
        self._missing -= 1
        if not self._missing:
            self.seconds = time.monotonic() - self._since

    def told(self) -> dict[str, Any]:
        """Return the page."""
        told = {"deaths": self.count, "cause": self.cause, "log": self.log, "time": self.time}
        return {**told, "seconds": self.seconds}
