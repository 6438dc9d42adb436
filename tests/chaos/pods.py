"""What answers at the addresses of simulated pods, and what does not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tests.harness.ports import free_port

RANGE = "127.8.0.1/16"
"""Addresses of this machine that nobody else uses."""
_MOST = 250


class PodNetwork:
    """Pods of training that report progress; half of them answer only while ``flows`` is set."""

    def __init__(self) -> None:
        self.port = free_port()
        self.flows = asyncio.Event()
        self.flows.set()

    async def _answer(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if number % 2:
                await self.flows.wait()
            writer.write(_page())
            await writer.drain()
        writer.close()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Answer at the first addresses of the range."""
        async with contextlib.AsyncExitStack() as stack:
            for number in range(1, _MOST):
                await stack.enter_async_context(await self._listen(number))
            yield

    async def _listen(self, number: int) -> asyncio.Server:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._answer(number, reader, writer)

        return await asyncio.start_server(answer, f"127.8.0.{number}", self.port)


def _page() -> bytes:
    now = datetime.now(UTC).timestamp()
    page = (
        f"slipway_training_step {int(now) % 10_000_000}\n"
        f"slipway_training_last_report_timestamp_seconds {now}\n"
    ).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(page) + page
