"""Forms of each make, sent to a real Envoy: how many parts a model may be asked with."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.envoy.bodies import MOST_HELD_BYTES
from slipway.envoy.forms import KIND, MOST_HEAD_BYTES, MOST_PARTS
from tests.unit.envoy.pod import DEADLINE, Pod, eventually, running_pod

LIMIT = 6_553_500
Answer = tuple[int, str]


def form(parts: int, value: bytes = b"x", head: bytes = b"", boundary: bytes = b"b") -> bytes:
    """Return a form of so many equal parts."""
    disposition = b'Content-Disposition: form-data; name="a"\r\n' + head
    part = b"--" + boundary + b"\r\n" + disposition + b"\r\n" + value + b"\r\n"
    return part * parts + b"--" + boundary + b"--\r\n"


def send(pod: Pod, body: bytes | Iterator[bytes], kind: str = f"{KIND}; boundary=b") -> Answer:
    """Ask with Python's standard library; an iterator is sent without a content-length."""
    url = pod.url(pod.config.http_port, "/predict")
    request = urllib.request.Request(url, data=body, headers={"content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, str(json.loads(error.read())["message"])


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("size", [0, 1, 7, 4096])
async def test_a_form_of_too_many_parts_is_refused_however_it_comes(
    tmp_path: Path, size: int
) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        for count, code in ((1, 200), (MOST_PARTS, 200), (MOST_PARTS + 1, 413), (5000, 413)):
            if size == 1 and count == 5000:
                continue
            body = form(count)
            status, text = await asyncio.to_thread(send, pod, pieces(body, size) if size else body)
            assert status == code
            assert text == body.decode() if code == 200 else f"{MOST_PARTS} parts" in text
        assert len(pod.torchserve.paths) == 2


async def test_as_many_parts_as_fit_into_a_body_are_read_to_the_end_and_refused(
    tmp_path: Path,
) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        smallest = b"--b\r\n\r\n"
        body = smallest * (LIMIT // len(smallest))
        status, message = await asyncio.to_thread(send, pod, body)
        assert (status, f"{MOST_PARTS} parts" in message) == (413, True)
        assert (await asyncio.to_thread(send, pod, form(1)))[0] == 200
        assert len(pod.torchserve.paths) == 1


@pytest.mark.parametrize(
    "kind",
    [
        f"{KIND}; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
        f"{KIND};boundary=------------------------6aaf3c2e",
        'Multipart/Form-Data; Boundary="a?=_:b"',
        f"{KIND}; boundary=b; charset=UTF-8",
        f"{KIND}; charset=utf-8; boundary=b",
    ],
)
async def test_the_boundaries_of_browsers_and_libraries_are_read(tmp_path: Path, kind: str) -> None:
    boundary = kind.partition("oundary=")[2].partition(";")[0].strip('"').encode()
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        for count, code in ((MOST_PARTS, 200), (MOST_PARTS + 1, 413)):
            body = form(count, boundary=boundary)
            assert (await asyncio.to_thread(send, pod, body, kind))[0] == code


@pytest.mark.parametrize(
    "kind",
    [
        KIND,
        f"{KIND}; boundary=",
        f"{KIND}; boundary={'b' * 71}",
        f"{KIND}; boundary=a,b",
        f"{KIND}; boundary=b; boundary=c",
        f"{KIND}; boundary=b; charset=utf-16",
        f"{KIND}x; boundary=b",
        f'{KIND}; boundary="b',
    ],
)
async def test_a_boundary_that_may_be_read_in_two_ways_is_refused(
    tmp_path: Path, kind: str
) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        status, message = await asyncio.to_thread(send, pod, form(1), kind)
        assert (status, "needs a boundary" in message) == (400, True)
        assert pod.torchserve.paths == []


NESTED = b"Content-Type : Multipart/Mixed; boundary=c\r\n"
BAD_PARTS = {
    "a form in a form": (form(1, head=NESTED), "form within a form"),
    "long headers": (form(1, head=b"a: " + b"x" * MOST_HEAD_BYTES + b"\r\n"), "longer than"),
    "many headers": (form(1, head=b"a: b\r\n" * 5000), "longer than"),
    "boundaries alone": (b"--b\r\n" * 5000, "no empty line ends them"),
}


@pytest.mark.parametrize("case", BAD_PARTS)
async def test_a_part_is_refused_for(tmp_path: Path, case: str) -> None:
    body, words = BAD_PARTS[case]
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        status, message = await asyncio.to_thread(send, pod, body)
        assert (status, words in message) == (400, True)
        assert pod.torchserve.paths == []


async def test_a_file_may_hold_what_looks_like_a_form(tmp_path: Path) -> None:
    mail = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n" + b"--c\r\n\r\nx\r\n" * 999
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        body = form(3, value=mail)
        assert await asyncio.to_thread(send, pod, body) == (200, body.decode())


async def test_large_forms_are_let_in_one_after_the_other_and_have_a_bound_at_a_time(
    tmp_path: Path,
) -> None:
    async with running_pod(tmp_path, max_request_bytes=LIMIT) as pod:
        large = form(1, value=b"x" * (LIMIT - 200))
        for _ in range(2 * MOST_HELD_BYTES // LIMIT):
            assert (await asyncio.to_thread(send, pod, large))[0] == 200
        port, kind = pod.config.http_port, f"{KIND}; boundary=b"
        head = (
            f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n"
            f"content-length: {len(large)}\r\n\r\n"
        )
        writers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
        for _, writer in writers:
            writer.write(head.encode() + large[:-1])
        await asyncio.gather(*(writer.drain() for _, writer in writers))

        async def is_full() -> bool:
            status, message = await asyncio.to_thread(send, pod, large)
            return (status, "Too many forms" in message) == (503, True)

        await eventually(is_full, "Envoy has taken in what it may hold")
        assert (await asyncio.to_thread(send, pod, form(1)))[0] == 200
        for _, writer in writers:
            writer.close()
