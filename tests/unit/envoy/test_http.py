"""What clients of all kinds may say in HTTP, and what they are told where they may not."""

import asyncio
import json
from pathlib import Path

import pytest

from slipway.envoy import Cors
from slipway.envoy.answers import MAX_HEADERS, MAX_HEADERS_KIB
from tests.unit.envoy.pod import DEADLINE, JSON, Pod, running_pod


async def raw(pod: Pod, request: bytes) -> tuple[int, dict[str, str], str]:
    """Send bytes; return the answer's code, headers (names in lower case) and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pod.config.http_port)
    writer.write(request)
    head, _, body = (await asyncio.wait_for(reader.read(), DEADLINE)).decode().partition("\r\n\r\n")
    writer.close()
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {k.lower(): v for k, v in headers.items()}, body


async def test_http_1_0_is_answered(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        request = b"POST /predict HTTP/1.0\r\ncontent-length: 3\r\n\r\n[1]"
        code, _, body = await raw(pod, request)
        assert (code, body) == (200, "[1]")


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PATCH"])
async def test_only_post_and_put_are_predictions(tmp_path: Path, method: str) -> None:
    async with running_pod(tmp_path) as pod:
        for path in ("/predict", "/predictions/iris"):
            url = pod.url(pod.config.http_port, path)
            async with pod.session.request(method, url) as answer:
                assert answer.status == 405
                assert answer.headers["allow"] == "POST, PUT"
                assert "Post the input" in (await answer.json())["message"]
        url = pod.url(pod.config.http_port, "/predict")
        async with pod.session.put(url, data=b"[1]", headers=JSON) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("length", [b"", b"content-length: 3\r\n"])
async def test_a_tunnel_is_refused_at_once(tmp_path: Path, length: bytes) -> None:
    async with running_pod(tmp_path) as pod:
        request = b"CONNECT model:8000 HTTP/1.1\r\nhost: model:8000\r\n" + length + b"\r\n"
        code, _, _ = await asyncio.wait_for(raw(pod, request), 60)
        assert code in {400, 404, 405}


END = b"connection: close\r\ncontent-length: 3\r\n\r\n[1]"


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (b"POST /predict HTTP/1.1\r\n" + END, 400, "missing_host_header"),
        (b"POST /predict%2fx HTTP/1.1\r\nhost: x\r\n" + END, 400, "escaped slashes"),
        (b"POST /predict HTTP/1.1\r\nhost: x\r\nx_a: 1\r\n" + END, 400, "underscores"),
        (b"\x16\x03\x01\x00\r\n\r\n", 400, "no valid HTTP"),
        (b"POST /predict HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * MAX_HEADERS + END, 431, "100"),
    ],
)
async def test_what_envoy_refuses_itself_says_why(
    tmp_path: Path, request_: bytes, code: int, words: str
) -> None:
    async with running_pod(tmp_path) as pod:
        found, headers, body = await raw(pod, request_)
        assert found == code
        assert headers["content-type"] == "application/json"
        assert json.loads(body)["code"] == code
        assert words in json.loads(body)["message"]


@pytest.mark.parametrize("where", ["header", "path"])
async def test_headers_and_paths_have_a_limit_that_is_told(tmp_path: Path, where: str) -> None:
    def request(size: int) -> bytes:
        path = "/predict?" + "a" * (size if where == "path" else 0)
        header = "a" * (size if where == "header" else 0)
        return f"POST {path} HTTP/1.1\r\nhost: x\r\nx-long: {header}\r\n".encode() + END

    async with running_pod(tmp_path) as pod:
        fits = 3900 if where == "path" else MAX_HEADERS_KIB * 1024 - 200
        assert (await raw(pod, request(fits)))[0] == 200
        code, _, body = await raw(pod, request(MAX_HEADERS_KIB * 1024 + 200))
        assert (code, f"{MAX_HEADERS_KIB} KiB" in json.loads(body)["message"]) == (431, True)
        if where == "path":
            code, _, body = await raw(pod, request(4200))
            assert (code, "4000" in json.loads(body)["message"]) == (414, True)


PREFLIGHT = (
    b"OPTIONS /predict HTTP/1.1\r\nhost: x\r\norigin: https://app.example\r\n"
    b"access-control-request-method: POST\r\naccess-control-request-headers: x-key\r\n"
    b"connection: close\r\n\r\n"
)


async def test_web_pages_of_the_named_origins_may_ask(tmp_path: Path) -> None:
    cors = Cors(origins=("https://app.example",), headers=("x-key",), max_age_seconds=60)
    async with running_pod(tmp_path, cors=cors, revision="new") as pod:
        code, headers, _ = await raw(pod, PREFLIGHT)
        assert code == 200
        assert headers["access-control-allow-origin"] == "https://app.example"
        assert headers["access-control-allow-headers"] == "x-key"
        assert headers["access-control-max-age"] == "60"
        url = pod.url(pod.config.http_port, "/predict")
        for origin, told in (("https://app.example", True), ("https://evil.example", False)):
            async with pod.session.post(url, data=b"1", headers={"origin": origin}) as answer:
                assert ("access-control-allow-origin" in answer.headers) == told
        assert (await raw(pod, PREFLIGHT.replace(b"app.", b"evil.")))[0] == 405


REFUSED = [
    ("POST", "/predict", 6_553_501, 413),
    ("GET", "/predict", 0, 405),
    ("PUT", "/no", 0, 404),
]


@pytest.mark.parametrize("allowed", ["https://app.example", "*"])
async def test_web_pages_can_read_what_envoy_refuses(tmp_path: Path, allowed: str) -> None:
    exact = allowed != "*"
    cors = Cors(origins=("https://other.example", allowed), credentials=exact)
    async with running_pod(tmp_path, cors=cors) as pod:
        for method, path, length, code in REFUSED:
            for origin in ("https://app.example", "https://evil.example"):
                url, body = pod.url(pod.config.http_port, path), b"x" * length
                given = {"origin": origin}
                async with pod.session.request(method, url, data=body, headers=given) as answer:
                    assert answer.status == code
                    told = not exact or origin == allowed
                    head = answer.headers
                    assert head.get("access-control-allow-origin") == (origin if told else None)
                    assert ("access-control-allow-credentials" in head) == (told and exact)
                    assert ("allow" in head) == (code == 405)


async def test_any_origin_may_be_allowed_and_none_is_by_default(tmp_path: Path) -> None:
    (tmp_path / "any").mkdir()
    (tmp_path / "none").mkdir()
    async with running_pod(tmp_path / "any", cors=Cors(origins=("*",))) as pod:
        headers = (await raw(pod, PREFLIGHT))[1]
        assert headers["access-control-allow-origin"] == "https://app.example"
    async with running_pod(tmp_path / "none") as pod:
        code, headers, _ = await raw(pod, PREFLIGHT)
        assert (code, "access-control-allow-origin" in headers) == (405, False)
