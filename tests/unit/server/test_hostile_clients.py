"""Clients that are slow, broken, many, or that hide requests in others' bodies."""

import asyncio
import gzip
import json
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from slipway_server.answers import Answer
from slipway_server.archive import Manifest
from slipway_server.front import Front
from slipway_server.front import Served as Model
from slipway_server.metrics import Metrics
from slipway_server.model_config import ModelConfig
from slipway_server.plan import Plan
from slipway_server.pool import Pool
from slipway_server.queue import JobQueue
from slipway_server.stateful import kinds
from tests.unit.server.conftest import (
    START_SECONDS,
    Running,
    Served,
    eventually,
    served,
    write_echo,
)

MOST_IDLE = 10_000
SPARE = 500
"""Descriptors that this process needs besides those of idle connections."""
KIB = 1024
RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which the end of a connection is told by RST."""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    archive = write_echo(tmp_path_factory.mktemp("echo") / "echo.mar")
    with served(archive, "--queue-size", "3") as process:
        yield process


def request(mark: Path) -> bytes:
    """Return a whole request, which leaves a mark where a handler gets it."""
    body = json.dumps({"begin": str(mark)}).encode()
    return (
        b"POST /predictions/echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(body)
    ) + body


def post(*headers: bytes) -> bytes:
    return b"\r\n".join([b"POST /predictions/echo HTTP/1.1", b"host: a", *headers, b"", b""])


SMUGGLERS = {
    "both lengths": post(b"content-length: 4", b"transfer-encoding: chunked") + b"0\r\n\r\n",
    "both, the other first": post(b"transfer-encoding: chunked", b"content-length: 0"),
    "two lengths": post(b"content-length: 0", b"content-length: 400"),
    "a list of lengths": post(b"content-length: 0, 400"),
    "a signed length": post(b"content-length: +0"),
    "a negative length": post(b"content-length: -1"),
    "a length with an underscore": post(b"content-length: 0_0"),
    "a blank before the colon": post(b"transfer-encoding : chunked", b"content-length: 0"),
    "another coding": post(b"transfer-encoding: xchunked"),
    "chunked twice": post(b"transfer-encoding: chunked, chunked"),
    "chunked, and then not": post(b"transfer-encoding: chunked, identity"),
    "a folded header": post(b"x: a\r\n content-length: 400", b"content-length: 0"),
    "NUL in a header": post(b"x: a\0b", b"content-length: 0"),
    "a header without a name": post(b": x", b"content-length: 0"),
    "a line feed for a line's end": post(b"x: a\ncontent-length: 400", b"content-length: 0"),
    "a return for a line's end": post(b"x: a\rcontent-length: 400", b"content-length: 0"),
    "a chunk beyond all numbers": post(b"transfer-encoding: chunked") + b"1" + b"0" * 20 + b"\r\n",
    "a negative chunk": post(b"transfer-encoding: chunked") + b"-1\r\n",
    "a chunk in another notation": post(b"transfer-encoding: chunked") + b"0x0\r\n\r\n",
    "a chunk without its end": post(b"transfer-encoding: chunked") + b"1\r\nab0\r\n\r\n",
    "an older protocol": b"POST /predictions/echo HTTP/0.9\r\nhost: a\r\n\r\n",
    "no protocol": b"POST /predictions/echo\r\n\r\n",
    "blanks in the target": b"POST /predictions/echo /x HTTP/1.1\r\nhost: a\r\n\r\n",
    "a long header": post(b"x: " + b"a" * 100 * KIB),
    "many headers": post(*[b"x%d: a" % number for number in range(10_000)]),
    "bytes of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
"""Beginnings that two servers could read differently, each followed by a whole request."""


@pytest.mark.parametrize("begin", SMUGGLERS.values(), ids=SMUGGLERS)
async def test_nothing_behind_an_ambiguous_request_is_taken_for_another(
    server: Running, tmp_path: Path, begin: bytes
) -> None:
    mark = tmp_path / "mark"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.served.ports[0])
    writer.write(begin + request(mark))
    answer = await asyncio.wait_for(reader.read(), START_SECONDS)
    writer.close()
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")) or not answer, answer
    assert (await server.post({}))[0] == 200
    assert not mark.exists()
    assert "Traceback" not in server.log


async def test_requests_that_follow_each_other_are_answered_in_their_order(
    server: Running, tmp_path: Path
) -> None:
    marks = [tmp_path / str(number) for number in range(3)]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.served.ports[0])
    writer.write(b"".join(map(request, marks)))
    for mark in marks:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert str(mark) in (await reader.readexactly(length)).decode()
    writer.close()


async def test_slow_clients_take_no_place_in_the_queue(server: Running, tmp_path: Path) -> None:
    whole = request(tmp_path / "mark")
    slow = []
    for number in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", server.served.ports[0])
        writer.write(whole[: len(whole) * number // 100])
        slow.append(writer)
    for number in range(20):
        assert (await server.post({"a": number}))[0] == 200
    assert await server.waiting(0)
    for writer in slow:
        writer.close()


async def test_clients_that_break_off_anywhere_leave_nothing(
    server: Running, tmp_path: Path
) -> None:
    whole = request(tmp_path / "mark")
    for end in range(0, len(whole), 7):
        with socket.create_connection(("127.0.0.1", server.served.ports[0])) as client:
            client.sendall(whole[:end])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    assert (await server.post({}))[0] == 200
    await eventually(lambda: server.waiting(0))
    assert not (tmp_path / "mark").exists()


async def test_a_client_that_resets_its_connection_between_two_parts_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = JobQueue("echo", 10)
    runner = web.AppRunner(front(queue).inference(), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with socket.create_connection(runner.addresses[0][:2]) as client:
        client.sendall(post(b"content-length: 0"))
        [job] = await queue.take(1, 0.0)
        job.put(Answer(200, b"first"), KIB)
        heard = b""
        while b"first" not in heard:
            heard += await asyncio.to_thread(client.recv, KIB)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    for _ in range(2):
        job.put(Answer(200, b"next"), KIB)
    await eventually(lambda: job.is_given_up)
    await runner.cleanup()
    assert caplog.messages == []


def front(queue: JobQueue) -> Front:
    """Return a front without workers: what comes is in the queue."""
    metrics, config = Metrics("echo", "1.0"), ModelConfig()
    plan = Plan({}, 0, 1, 0.0, 1.0, 1.0, KIB)
    pool = Pool(plan, kinds.serving(plan, queue, metrics, config), metrics)
    return Front(Model(Manifest("echo", "1.0", "handler.py"), config, queue, pool, metrics, KIB))


async def test_a_body_beyond_the_limit_is_refused_however_it_comes(server: Running) -> None:
    before = server.resident()
    bomb = gzip.compress(bytes(400 << 20), 1)
    url = server.url("/predictions/echo")
    headers = {"content-type": "text/plain"}
    packed = {**headers, "content-encoding": "gzip"}
    for body, told in ((bytes(8 << 20), headers), (bomb, packed)):
        async with server.session.post(url, data=body, headers=told) as answer:
            assert answer.status == 413
    parts = b"".join(
        b'--x\r\ncontent-disposition: form-data; name="f%d"\r\n\r\na\r\n' % number
        for number in range(300)
    )
    form = {"content-type": "multipart/form-data; boundary=x"}
    async with server.session.post(url, data=parts + b"--x--\r\n", headers=form) as answer:
        assert answer.status == 413
    assert (await server.post({}))[0] == 200
    assert server.resident() - before < 64 << 20


@pytest.mark.parametrize(
    "body",
    [
        b"--x\r\n\r\n",
        b"--x",
        b"",
        b"--y\r\ncontent-disposition: form-data\r\n\r\na\r\n--y--",
        b"--x\r\ncontent-type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n"
        b"--x--\r\n",
        b"--x\r\ncontent-transfer-encoding: nothing\r\n\r\na\r\n--x--\r\n",
        b"--x\r\n" + b"a: b\r\n" * 20_000 + b"\r\na\r\n--x--\r\n",
    ],
)
async def test_a_form_that_is_none_is_refused_or_empty(server: Running, body: bytes) -> None:
    form = {"content-type": "multipart/form-data; boundary=x"}
    url = server.url("/predictions/echo")
    async with server.session.post(url, data=body, headers=form) as answer:
        assert answer.status in (200, 400, 413, 503), await answer.text()
    assert (await server.post({}))[0] == 200


async def test_ten_thousand_idle_connections_keep_nobody_from_an_answer(server: Running) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    idle = []
    before = server.resident()
    try:
        for _ in range(min(MOST_IDLE, most - SPARE)):
            client = socket.socket()
            client.setblocking(False)
            idle.append(client)
            await asyncio.get_running_loop().sock_connect(
                client, ("127.0.0.1", server.served.ports[0])
            )
        assert (await server.post({}))[0] == 200
        assert (server.resident() - before) / len(idle) < 32 * KIB
    finally:
        for client in idle:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
