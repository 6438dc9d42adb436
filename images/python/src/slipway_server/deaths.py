"""Why a worker ended last, for whoever looks after the server: the page `/deaths`."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")
_MOST_LOG = 2000
"""How many characters of what a worker printed last are told."""


def _killed_for_memory() -> int:
    """Return how many processes of this container the kernel has killed for want of memory.

    Format: https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.events
    """
    try:
        lines = _MEMORY_EVENTS.read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    except (OSError, ValueError, IndexError):
        return 0


@dataclass
class Deaths:
    """How many workers have ended since the start; of the last one why, and what it printed.

    ``cause`` is the name of a signal, ``OOMKilled``, ``Timeout``, or ``exit CODE``; ``time`` is in
    seconds since 1970, and ``seconds`` how long it took until all workers were there again: None
    while they are not.
    """

    count: int = 0
    cause: str = ""
    log: str = ""
    time: float = 0.0
    seconds: float | None = None
    _missing: int = 0
    _since: float = 0.0
    _killed: int = field(default_factory=_killed_for_memory)

    def note(self, status: int, log: str, *, is_late: bool) -> None:
        """Note a worker's end by what `os.waitpid` told; one that is late was ended for that."""
        killed = _killed_for_memory()
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
