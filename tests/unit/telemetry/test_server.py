"""The server of metrics and health: where it listens, whom it drops, and where it cannot listen."""

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession

from slipway.telemetry.metrics import Metrics
from slipway.telemetry.server import MOST_CONNECTIONS, HttpServer
from tests.harness.ports import free_port

LOOPBACKS = ("127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else []))


@pytest.fixture
def server() -> HttpServer:
    return HttpServer(Metrics().page, list, list)


@pytest.mark.parametrize("picked", [True, False], ids=["any port", "a port of ours"])
async def test_its_port_answers_by_both_address_families(server: HttpServer, picked: bool) -> None:
    port = 0 if picked else free_port()
    await server.start(port)
    try:
        assert server.port > 0
        assert port in (0, server.port)
        for host in LOOPBACKS:
            with socket.create_connection((host, server.port), timeout=60):
                pass
    finally:
        await server.close()


async def test_a_port_that_is_taken_is_told_with_what_to_set(server: HttpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {port} is taken: set SLIPWAY_HTTP_PORT"):
            await server.start(port)
    await server.close()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process have the two ends of some thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nx: "], ids=["silent", "half"])
async def test_a_crowd_that_never_asks_is_dropped_and_the_probes_are_answered(
    server: HttpServer, sent: bytes
) -> None:
    await server.start(0)
    writers = []
    try:
        readers = []
        for _ in range(MOST_CONNECTIONS + 200):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            readers.append(reader)
            writers.append(writer)
        url = f"http://127.0.0.1:{server.port}/healthz"
        async with ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
        async with asyncio.timeout(120):
            assert [await reader.read() for reader in readers[:200]] == [b""] * 200
        assert not readers[-1].at_eof()
    finally:
        for writer in writers:
            writer.close()
        await server.close()


async def test_who_stays_is_not_dropped_for_those_who_came_and_went(server: HttpServer) -> None:
    await server.start(0)
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for _ in range(MOST_CONNECTIONS + 1):
            _, other = await asyncio.open_connection("127.0.0.1", server.port)
            other.close()
            await other.wait_closed()
        writer.write(ask)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert len(server._newest) < MOST_CONNECTIONS / 2, "what is closed is not kept"
    finally:
        writer.close()
        await server.close()


async def test_a_scraper_that_leaves_before_the_end_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, left, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def page(accept: str) -> AsyncIterator[bytes]:
        del accept
        begun.set()
        await left.wait()
        try:
            for _ in range(1000):
                yield b"x" * 65536
        finally:
            ended.set()

    server = HttpServer(page, list, list)
    await server.start(0)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    await begun.wait()
    writer.transport.abort()
    left.set()
    async with asyncio.timeout(120):
        await ended.wait()
    await server.close()
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
