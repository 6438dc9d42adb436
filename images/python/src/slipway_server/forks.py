"""The front's side of the process that workers are forked from (`slipway_server.zygote`)."""

import asyncio
import contextlib
import os
import signal
import socket
import sys


class GivenUp(Exception):  # noqa: N818 - a state, not an error of the caller's
    """The workers cannot be started; the text says how the last one ended."""


class Zygote:
    """The process that workers are forked from."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._made: asyncio.Queue[int] = asyncio.Queue()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._turn = asyncio.Lock()
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it; it imports torch meanwhile, and workers wait until it has."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "slipway_server.zygote",
            str(theirs.fileno()),
            pass_fds=[theirs.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
        )
        theirs.close()
        self._control = ours
        self._listener = asyncio.create_task(self._listen())

    async def fork(self) -> tuple[int, socket.socket, int]:
        """Make a worker; return its process ID, its socket, and the end of its pipe."""
        assert self._control is not None  # noqa: S101 - start goes before
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        async with self._turn:
            socket.send_fds(self._control, [b"w"], [theirs.fileno(), write])
            theirs.close()
            os.close(write)
            pid = await self._made.get()
        if not pid:
            raise GivenUp("The process that workers are made from ended.")
        self._ended.setdefault(pid, asyncio.get_running_loop().create_future())
        return pid, ours, read

    async def ended(self, pid: int) -> int:
        """Return how a worker ended, as `os.waitpid` tells it, once it has."""
        future = self._ended.setdefault(pid, asyncio.get_running_loop().create_future())
        return await asyncio.shield(future)

    def forget(self, pid: int) -> None:
        """Remember nothing of a worker that ended."""
        self._ended.pop(pid, None)

    def kill(self, pid: int) -> None:
        """End a worker, unless it has ended: then its process ID may be another's."""
        known = self._ended.get(pid)
        if known is not None and not known.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _listen(self) -> None:
        assert self._control is not None  # noqa: S101 - start goes before
        reader, writer = await asyncio.open_connection(sock=self._control.dup())
        while line := await reader.readline():
            pid, _, status = line.decode().strip().partition(" ")
            if status:
                future = self._ended.setdefault(
                    int(pid), asyncio.get_running_loop().create_future()
                )
                if not future.done():
                    future.set_result(int(status))
            else:
                self._made.put_nowait(int(pid))
        writer.close()
        self._made.put_nowait(0)
        for future in self._ended.values():
            if not future.done():
                future.set_result(signal.SIGKILL)

    async def stop(self) -> None:
        """End it; its workers end when their sockets are closed."""
        if self._control is not None:
            self._control.close()
        if self._listener is not None:
            self._listener.cancel()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
