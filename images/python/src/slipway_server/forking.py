"""The loop of a process that others are forked from: the zygote, or a worker whose model is shared.

The front sends messages of `MESSAGE`: ``FORK`` carries two descriptors, the new process's socket
and the pipe for what it prints; ``KILL`` ends a process that was made here, with its process group,
and does nothing where it has ended: its number may be another's by then. Each answer is a line,
``PID`` for a process that was made, or ``PID STATUS`` for one that ended, STATUS as `os.waitpid`
has it. The loop ends when the front does.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable

MESSAGE = struct.Struct(">cI")
FORK, KILL = b"f", b"k"
_PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""


class Forks:
    """Forks processes as the front asks for them; ``become`` is what they do, with their socket."""

    def __init__(self, control: socket.socket, become: Callable[[socket.socket], int]) -> None:
        self._control = control
        self._become = become
        self._made: set[int] = set()

    def serve(self) -> None:
        """Fork until the front is gone."""
        woken, wakes = os.pipe()
        for end in (woken, wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                for key, _ in selector.select():
                    if key.fileobj is not self._control:
                        os.read(woken, 4096)
                    elif not self._obey(selector, (woken, wakes)):
                        return
                self._reap()

    def _obey(self, selector: selectors.BaseSelector, pipe: tuple[int, int]) -> bool:
        """Do what the next message asks for; return False where the front is gone."""
        message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE.size, 2)
        if len(message) < MESSAGE.size:
            return False
        kind, pid = MESSAGE.unpack(message)
        if kind == KILL and pid in self._made:
            _end_group(pid)
        elif kind == FORK:
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                selector.close()
                for end in pipe:
                    os.close(end)
                self._be(parent, *descriptors)
            self._made.add(pid)
            self._tell(f"{pid}")
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _be(self, parent: int, sock: int, output: int) -> None:
        """Be the new process, and never come back."""
        code = 1
        try:
            self._control.close()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.setpgid(0, 0)
            die_with(parent)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            code = self._become(socket.socket(fileno=sock))
            sys.stdout.flush()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        """Tell of every process that ended, once what it has left of its group is ended too."""
        for pid in list(self._made):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _end_group(pid)
            _, status = os.waitpid(pid, 0)
            self._made.discard(pid)
            self._tell(f"{pid} {status}")

    def _tell(self, line: str) -> None:
        self._control.sendall(f"{line}\n".encode())


def _end_group(pid: int) -> None:
    """End a process that has not been waited for, and its group, which it leads once it is up."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, where the kernel is Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
