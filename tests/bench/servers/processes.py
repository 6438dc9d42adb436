"""What a server's processes take: memory and processor time, of all of them together."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tests.harness.trees import tree

_SCALE = os.sysconf("SC_CLK_TCK")


def of_server(pid: int) -> list[int]:
    """Return the processes of a server that was started through buildah, without buildah's own."""
    return [one for one in tree(pid) if not _program(one).startswith("buildah")]


def _program(pid: int) -> str:
    """Return what a process calls itself: buildah runs itself again under other names."""
    try:
        return Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0])).name
    except OSError:
        return ""


def processor_seconds(pids: list[int]) -> float:
    """Return the processor time that processes, and those that they waited for, have used.

    Format: proc(5), the fields utime to cstime of ``stat``.
    """
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / _SCALE


def proportional_bytes(pids: list[int]) -> int:
    """Return processes' memory, what several share counted once (PSS of ``smaps_rollup``)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(map(int, re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)))
    return total << 10


@contextlib.contextmanager
def one_group() -> Iterator[None]:
    """Have Linux share the processors among processes, not among sessions, where it may be told.

    buildah gives each server a session of its own, and the autogroup of each session would get an
    equal share, however many of its processes want to run.
    """
    switch = Path("/proc/sys/kernel/sched_autogroup_enabled")
    before = switch.read_text() if switch.exists() else "0"
    with contextlib.suppress(OSError):
        switch.write_text("0")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            switch.write_text(before)
