"""Bodies of each kind and size, sent by real clients to a real Envoy."""

import asyncio
import http.client
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.envoy.bodies import MOST_DISCARDED_BYTES, MOST_HELD_BYTES, up_to
from tests.unit.envoy.pod import DEADLINE, JSON, Pod, eventually, running_pod

LIMIT = 1_000_000
FORM = {"content-type": "application/x-www-form-urlencoded"}
PIECE = b"x" * 50_000

Answer = tuple[int, str]


def by_urllib(pod: Pod, body: bytes, headers: dict[str, str]) -> Answer:
    """Ask with Python's standard library, which reads nothing before it has sent everything."""
    url = pod.url(pod.config.http_port, "/predict")
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["message"]


def chunked(pod: Pod, pieces: Iterator[bytes], headers: dict[str, str]) -> Answer:
    """Ask without a content-length, with the standard library."""
    client = http.client.HTTPConnection("127.0.0.1", pod.config.http_port, timeout=DEADLINE)
    client.request("POST", "/predict", body=pieces, headers=headers, encode_chunked=True)
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    return answer.status, text if answer.status == 200 else json.loads(text)["message"]


async def test_a_body_as_long_as_the_limit_is_taken_and_a_longer_one_is_told_so(
    tmp_path: Path,
) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        assert (await asyncio.to_thread(by_urllib, pod, b"x" * LIMIT, JSON))[0] == 200
        assert len(pod.torchserve.paths) == 1
        for size in (LIMIT + 1, 3 * LIMIT, 40 * LIMIT):
            status, message = await asyncio.to_thread(by_urllib, pod, b"x" * size, JSON)
            assert (status, str(LIMIT) in message) == (413, True)
        assert len(pod.torchserve.paths) == 1


async def test_the_same_holds_of_bodies_whose_length_is_not_announced(tmp_path: Path) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        pieces = LIMIT // len(PIECE)
        status, body = await asyncio.to_thread(chunked, pod, iter([PIECE] * pieces), JSON)
        assert (status, len(body)) == (200, LIMIT)
        for count in (pieces + 1, 3 * pieces, 40 * pieces):
            body_ = iter([PIECE] * count)
            status, message = await asyncio.to_thread(chunked, pod, body_, JSON)
            assert (status, str(LIMIT) in message) == (413, True)
        assert len(pod.torchserve.paths) == 1


async def test_a_body_without_end_is_not_read_for_ever(tmp_path: Path) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        sent = 0
        with socket.create_connection(("127.0.0.1", pod.config.http_port), DEADLINE) as client:
            client.sendall(
                b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - until it is cut
                while sent < 4 * MOST_DISCARDED_BYTES:
                    await asyncio.to_thread(client.sendall, b"c350\r\n" + PIECE + b"\r\n")
                    sent += len(PIECE)
        assert sent > MOST_DISCARDED_BYTES


@pytest.mark.parametrize("size", [0, 3, LIMIT, 4 * LIMIT])
async def test_a_form_is_refused_with_the_header_to_send_instead(tmp_path: Path, size: int) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        body = b"&a" * (size // 2) + b"x" * (size % 2)
        for headers in ({}, FORM, {"Content-Type": "Application/X-WWW-Form-URLencoded; a=b"}):
            status, message = await asyncio.to_thread(by_urllib, pod, body, headers)
            assert (status, "content-type: application/json" in message) == (415, True)
        status, message = await asyncio.to_thread(chunked, pod, iter([body or b"x"]), FORM)
        assert status == 415
        assert pod.torchserve.paths == []


async def test_the_connection_of_a_refused_request_goes_on(tmp_path: Path) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        client = http.client.HTTPConnection("127.0.0.1", pod.config.http_port, timeout=DEADLINE)
        codes = []
        for body, headers in ((b"x" * 2 * LIMIT, JSON), (b"a=b", FORM), (b"[1]", JSON)):
            await asyncio.to_thread(client.request, "POST", "/predict", body, headers)
            answer = await asyncio.to_thread(client.getresponse)
            codes.append(answer.status)
            answer.read()
        client.close()
        assert codes == [413, 415, 200]
        stats = await pod.admin("/stats?filter=^http.http.downstream_cx_total$", "GET")
        assert stats.split()[-1] == "1"


async def test_bodies_of_unknown_length_have_a_bound_together(tmp_path: Path) -> None:
    """Each is below the limit; without the bound Envoy would hold them all at the same time."""
    limit = 6_553_500
    async with running_pod(tmp_path, max_request_bytes=limit) as pod:
        port = pod.config.http_port
        writers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        piece = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        for _, writer in writers:
            writer.write(head + piece * 6)
        await asyncio.gather(*(writer.drain() for _, writer in writers))

        async def is_full() -> bool:
            status, message = await asyncio.to_thread(chunked, pod, iter([PIECE] * 20), JSON)
            return (status, "send the header content-length" in message) == (503, True)

        await eventually(is_full, "Envoy has taken in what it may hold")
        assert await allocated(pod) < MOST_HELD_BYTES + (40 << 20)
        assert (await pod.post("/predict", b"x" * limit))[0] == 200
        assert (await asyncio.to_thread(chunked, pod, iter([PIECE]), JSON))[0] == 200
        assert await is_full()
        for _, writer in writers:
            writer.close()


async def test_what_was_held_for_requests_that_broke_off_is_free_again(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        for _ in range(3):
            pairs = [
                await asyncio.open_connection("127.0.0.1", pod.config.http_port) for _ in range(12)
            ]
            for _, writer in pairs:
                writer.write(head + b"500000\r\n" + b"x" * (5 << 20) + b"\r\n")
                await writer.drain()
            for _, writer in pairs:
                writer.transport.abort()

            async def all_gone() -> bool:
                text = await pod.admin("/stats?filter=^http.http.downstream_rq_active$", "GET")
                return text.split()[-1] == "0"

            await eventually(all_gone, "Envoy has seen them go")
        assert (await asyncio.to_thread(chunked, pod, iter([PIECE] * 100), JSON))[0] == 200


async def allocated(pod: Pod) -> int:
    """Return the bytes that Envoy's allocator has handed out."""
    return int(json.loads(await pod.admin("/memory", "GET"))["allocated"])


async def test_many_streams_of_one_connection_do_not_fill_the_memory(tmp_path: Path) -> None:
    """TorchServe reads nothing meanwhile: what clients send has to wait with them."""
    async with running_pod(tmp_path) as pod:
        before = await allocated(pod)
        url = pod.url(pod.config.http_port, "/predict?slow=1")
        timeout = aiohttp.ClientTimeout(total=2 * DEADLINE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            tasks = [asyncio.create_task(fetch(session, url, b"x" * 6_000_000)) for _ in range(30)]

            async def all_there() -> bool:
                return len(pod.torchserve.paths) == len(tasks)

            await eventually(all_there, "TorchServe has them all")
            assert await allocated(pod) - before < 40 << 20
            pod.torchserve.release.set()
            assert set(await asyncio.gather(*tasks)) == {200}


async def fetch(session: aiohttp.ClientSession, url: str, body: bytes) -> int:
    async with session.post(url, data=body, headers=JSON) as answer:
        return answer.status


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_expression_for_numbers_up_to_a_limit_is_exact(limit: int, number: int) -> None:
    for one in (number, limit - 1, limit, limit + 1, limit * 10):
        if one >= 0:
            assert bool(re.fullmatch(up_to(limit), str(one))) == (one <= limit)
