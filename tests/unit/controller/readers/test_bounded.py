"""What an enemy's answer can cost the operator, and what is shown of it."""

import asyncio
import gzip
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp.client_proto import ResponseHandler

from slipway.controller.readers.asking.bounded import Answer, BoundedReader, Bounds, UnansweredError
from slipway.controller.readers.asking.turns import Turns
from tests.harness.quickness import quick

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
MOST_BYTES = 4096


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """Serve raw answers; yield the URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/metrics"


async def ask(serve: Serve, *, seconds: float = 120.0) -> Answer:
    reader = BoundedReader(Bounds(seconds, 120.0, MOST_BYTES), Turns(4, 4))
    try:
        async with server(serve) as url:
            return await reader.get(url, "team")
    finally:
        await reader.close()


def sends(*parts: bytes) -> Serve:
    """Send parts of an answer, each in a segment of its own."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)

    return serve


async def test_an_answer_in_several_segments_is_read_whole() -> None:
    body = b"slipway_training_step 7\nslipway_training_total_steps 100\n"
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    for cut in (10, 24, len(body)):
        found = await ask(sends(head, body[:cut], body[cut:]))
        assert found == Answer(200, "text/plain", body)


async def test_an_answer_without_a_length_is_read_to_its_end() -> None:
    assert (await ask(sends(HEAD + b"\r\n", b"ab", b"cd"))).body == b"abcd"


@pytest.mark.parametrize(
    "parts",
    [
        (b"Content-Length: 5000\r\n\r\n", b"x" * 5000),
        (b"\r\n", b"x" * 5000),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"),
    ],
    ids=["length", "until closed", "chunked"],
)
async def test_an_answer_that_is_too_long_is_refused_however_it_is_sent(
    parts: tuple[bytes, ...],
) -> None:
    with pytest.raises(UnansweredError, match="longer than 4096 bytes"):
        await ask(sends(HEAD, *parts))


async def test_an_endless_answer_costs_no_memory() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        while True:
            writer.write(b"x" * (1 << 16))
            await writer.drain()

    tracemalloc.start()
    with pytest.raises(UnansweredError, match="longer than"):
        await ask(serve)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd"])
async def test_nothing_is_unpacked(encoding: bytes) -> None:
    body = gzip.compress(b"\0" * 1_000_000)
    coded = b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    with pytest.raises(UnansweredError, match="compressed"):
        await ask(sends(HEAD + coded + body))


@pytest.mark.parametrize("rest", [b";" * 8000, b";a" * 4000, b'"' * 8000, b"(" * 8000])
async def test_the_parameters_of_a_media_type_are_not_read(rest: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain ;" + rest + b"\r\n"

    async def taken() -> float:
        begun = time.thread_time()
        answer = await ask(sends(head + b"Content-Length: 2\r\n\r\nab"))
        assert answer == Answer(200, "text/plain", b"ab")
        return time.thread_time() - begun

    await quick(taken, 0.2)


async def test_a_redirect_is_not_followed() -> None:
    elsewhere = asyncio.Event()

    async def internal(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        elsewhere.set()

    async with server(internal) as url:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
        found = await ask(sends(moved.encode()))
    assert (found.status, elsewhere.is_set()) == (302, False)


async def test_a_page_that_is_not_there_is_no_page() -> None:
    reader = BoundedReader(Bounds(120.0, 120.0, MOST_BYTES), Turns(4, 4))
    async with server(sends(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")) as url:
        with pytest.raises(UnansweredError, match="status 302"):
            await reader.get_page(url, "team")
    await reader.close()


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await ask(sends(HEAD + b"\r\n", b"direct"))).body == b"direct"


async def test_an_answer_that_trickles_ends_with_its_time() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(UnansweredError, match=r"no whole answer within 0\.3 s"):
        await ask(serve, seconds=0.3)


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"SSH-2.0-x\r\n\r\n", b""]
)
async def test_what_is_no_whole_http_is_told_in_short_printable_words(said: bytes) -> None:
    with pytest.raises(UnansweredError) as told:
        await ask(sends(said))
    text = str(told.value)
    assert 0 < len(text) <= 256
    assert text.isprintable()


async def test_an_address_where_nobody_listens_is_told() -> None:
    reader = BoundedReader(Bounds(120.0, 120.0, MOST_BYTES), Turns(4, 4))
    with pytest.raises(UnansweredError, match=r"127\.0\.0\.1:1"):
        await reader.get("http://127.0.0.1:1/", "team")
    await reader.close()


def flood(piece: bytes, head: bytes = b"") -> Serve:
    """Send a head, and then a piece without end."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece * 1000)
            await writer.drain()

    return serve


@pytest.mark.parametrize("code", [b"100", b"102", b"103"])
async def test_an_answer_that_is_announced_without_end_is_none(code: bytes) -> None:
    with pytest.raises(UnansweredError, match="only announces"):
        await ask(flood(b"HTTP/1.1 %s Soon\r\n\r\n" % code))


async def test_an_answer_that_is_announced_is_read() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert (await ask(sends(early, early + HEAD + b"\r\n", b"x"))).body == b"x"


@pytest.mark.parametrize(
    "serve",
    [
        flood(b"HTTP/1.1 103\r\n\r\n"),
        flood(b"1\r\nx\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    ],
    ids=["announcements", "chunks"],
)
async def test_little_is_taken_in_at_a_time_of_an_answer_that_is_all_pieces(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    take = ResponseHandler.data_received

    def noted(handler: ResponseHandler, data: bytes) -> None:
        sizes.append(len(data))
        take(handler, data)

    monkeypatch.setattr(ResponseHandler, "data_received", noted)
    with pytest.raises(UnansweredError):
        await ask(serve)
    assert 0 < max(sizes) <= 1 << 16
