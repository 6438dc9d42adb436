"""The front's side of the processes that workers are forked from, and of the workers themselves."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

from slipway_server import frames
from slipway_server.forking import FORK, KILL, MESSAGE
from slipway_server.frames import Bounds, Frame, FrameError

_LOG = logging.getLogger(__name__)
_TAIL_BYTES = 4096
"""How much of what a process printed last is told when it ends."""
_CHUNK_BYTES = 1 << 16
"""How much of what a process prints is copied at a time: as much as a pipe of Linux holds."""
_OUTPUT_SECONDS = 1.0
"""How long the end of what a process printed is waited for."""


class GivenUp(Exception):  # noqa: N818 - a state, not an error of the caller's
    """The workers cannot be started; the text says how the last one ended."""


class Parent:
    """A process that forks others (`slipway_server.forking`), by its socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._made: asyncio.Queue[int] = asyncio.Queue()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._turn = asyncio.Lock()
        self._listener: asyncio.Task[None] | None = None
        self.is_gone = False

    def listen(self, reader: asyncio.StreamReader) -> None:
        """Begin to take in what it tells."""
        self._listener = asyncio.create_task(self._listen(reader))

    async def fork(self, bounds: Bounds) -> "Child":
        """Make a process; raises ``GivenUp`` where the parent has ended."""
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        async with self._turn:
            with contextlib.suppress(OSError):
                message = MESSAGE.pack(FORK, 0)
                socket.send_fds(self._control, [message], [theirs.fileno(), write])
            theirs.close()
            os.close(write)
            pid = 0 if self.is_gone else await self._made.get()
        if not pid:
            ours.close()
            os.close(read)
            raise GivenUp("The process that workers are forked from ended.")
        self._future(pid)
        return await Child.connect(self, pid, ours, read, bounds)

    def _future(self, pid: int) -> "asyncio.Future[int]":
        if pid not in self._ended:
            self._ended[pid] = asyncio.get_running_loop().create_future()
        return self._ended[pid]

    async def ended(self, pid: int) -> int:
        """Return how a process ended, as `os.waitpid` tells it, once it has."""
        return await asyncio.shield(self._future(pid))

    def forget(self, pid: int) -> None:
        """Remember nothing of a process that ended."""
        self._ended.pop(pid, None)

    def kill(self, pid: int) -> None:
        """Have a process ended, with its group."""
        with contextlib.suppress(OSError):
            self._control.send(MESSAGE.pack(KILL, pid))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            pid, _, status = line.decode().strip().partition(" ")
            if not status:
                self._made.put_nowait(int(pid))
            elif not (future := self._future(int(pid))).done():
                future.set_result(int(status))
        self.is_gone = True
        self._made.put_nowait(0)
        for future in self._ended.values():
            if not future.done():
                future.set_result(signal.SIGKILL)

    def close(self) -> None:
        """Let it end, and with it what it has made."""
        self._control.close()
        if self._listener is not None:
            self._listener.cancel()


class Zygote(Parent):
    """The first of them, which has imported torch and no handler."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        ours.setblocking(False)
        super().__init__(ours)
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        """Start it; it imports torch meanwhile, and forks once it has."""
        descriptor = self._theirs.fileno()
        words = ("-m", "slipway_server.zygote", str(descriptor), str(os.getpid()))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *words, pass_fds=[descriptor], stdin=asyncio.subprocess.DEVNULL
        )
        self._theirs.close()
        # A writer that nobody holds closes its connection.
        reader, self._writer = await asyncio.open_connection(sock=self._control.dup())
        self.listen(reader)

    async def stop(self) -> None:
        """End it, and with it all workers."""
        self.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


class Child:
    """A process that was forked: its socket, and the end of what it printed."""

    def __init__(
        self,
        parent: Parent,
        pid: int,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        bounds: Bounds,
    ) -> None:
        self.pid = pid
        self.reader, self._writer = streams
        self._parent = parent
        self._bounds = bounds
        self._printed = b""
        self._output: asyncio.Task[None] | None = None
        self.status = 0

    @classmethod
    async def connect(
        cls, parent: Parent, pid: int, sock: socket.socket, pipe: int, bounds: Bounds
    ) -> "Child":
        """Return it once its socket is read, and copy what it prints from a pipe."""
        child = cls(parent, pid, await asyncio.open_connection(sock=sock, limit=1 << 20), bounds)
        child._output = asyncio.create_task(child._copy(pipe))
        return child

    async def send(self, head: Mapping[str, Any], parts: Any = ()) -> None:
        """Send a frame; nothing where it has ended, which its reader tells."""
        self._writer.writelines(frames.encoded(Frame(dict(head), parts)))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    def send_now(self, head: Mapping[str, Any]) -> None:
        """Send a short frame without waiting until it is taken."""
        self._writer.writelines(frames.encoded(Frame(dict(head))))

    async def frame(self) -> Frame | None:
        """Return its next frame; None where it has ended, or says what is no frame."""
        try:
            return await frames.read(self.reader, self._bounds)
        except FrameError as problem:
            _LOG.error("Process %d said what is no answer: %s.", self.pid, problem)
            return None

    async def ended(self) -> int:
        """Return how it ended, once it has."""
        return await self._parent.ended(self.pid)

    async def end(self) -> str:
        """End it unless it has ended; return how it did, with the end of what it printed."""
        self._writer.close()
        self._parent.kill(self.pid)
        self.status = await self.ended()
        self._parent.forget(self.pid)
        if self._output is not None:
            await asyncio.wait({self._output}, timeout=_OUTPUT_SECONDS)
            self._output.cancel()
        return f"{how_ended(self.status)}\n{self.last_lines()}".strip()

    def last_lines(self) -> str:
        """Return the end of what it printed."""
        return self._printed.decode(errors="replace")

    def as_parent(self) -> Parent:
        """Return it as a process that others are forked from, once it has said that it is one."""
        sock = self._writer.get_extra_info("socket")
        parent = Parent(socket.socket(fileno=os.dup(sock.fileno())))
        parent.listen(self.reader)
        return parent

    async def _copy(self, pipe: int) -> None:
        """Copy what it prints to the server's own output; a slow one slows this process alone."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0)
        )
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                self._printed = (self._printed + chunk)[-_TAIL_BYTES:]
                await loop.run_in_executor(None, _write, chunk)
        finally:
            transport.close()


def _write(chunk: bytes) -> None:
    sys.stderr.buffer.write(chunk)
    sys.stderr.buffer.flush()


def how_ended(status: int) -> str:
    """Return in words how a process ended, by what `os.waitpid` tells."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"It was ended by signal {number} ({signal.strsignal(number)})."
    return f"It ended with exit code {os.waitstatus_to_exitcode(status)}."
