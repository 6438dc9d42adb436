"""What answers at the addresses of simulated pods, and what does not."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tests.harness.ports import free_port

RANGE = "127.8.0.1/16"
"""Addresses of this machine that nobody else uses."""
_MOST = 250


class PodNetwork:
    """Pods of training that report progress; to every second one packets may be dropped."""

    def __init__(self) -> None:
        self.port = free_port()
        self._servers: dict[int, asyncio.Server] = {}
        self._silent: list[socket.socket] = []

    async def drop(self) -> None:
        """Drop what is sent to half of the pods from now on: no connection opens or is refused."""
        for number in range(1, _MOST, 2):
            self._servers.pop(number).close()
            self._silent += await _silent(f"127.8.0.{number}", self.port)

    async def heal(self) -> None:
        """Let all packets through again."""
        while self._silent:
            self._silent.pop().close()
        for number in range(1, _MOST, 2):
            self._servers[number] = await self._listen(number)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Answer at the first addresses of the range."""
        for number in range(1, _MOST):
            self._servers[number] = await self._listen(number)
        try:
            yield
        finally:
            for server in self._servers.values():
                server.close()
            for each in self._silent:
                each.close()

    async def _listen(self, number: int) -> asyncio.Server:
        return await asyncio.start_server(_answer, f"127.8.0.{number}", self.port)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_page())
        await writer.drain()
    writer.close()


async def _silent(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return sockets that hold an address at which the kernel drops whoever wants to connect.

    It does so where a listener's queue is full (tcp_conn_request in Linux' net/ipv4/tcp_input.c);
    one of length 0 has room for one connection, the second socket's.
    """
    listener, only = socket.socket(), socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(0)
    only.setblocking(False)
    await asyncio.get_running_loop().sock_connect(only, (host, port))
    return listener, only


def _page() -> bytes:
    now = datetime.now(UTC).timestamp()
    page = (
        f"slipway_training_step {int(now) % 10_000_000}\n"
        f"slipway_training_last_report_timestamp_seconds {now}\n"
    ).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(page) + page
