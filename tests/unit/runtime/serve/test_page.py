"""What a server in the pod may do to a program that asks it: nothing but answer."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slipway_pods.serve.page import MOST_BYTES, Page, ask

DRIPS = {"/head": b"HTTP/1.1 200 OK\r\nx: ", "/body": b"HTTP/1.1 200 OK\r\n\r\n"}
FLOOD = b"HTTP/1.1 200 OK\r\n\r\n"
GIVEN = {
    "/fine": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "/long": FLOOD + b"x" * MOST_BYTES,
    "/moved": b"HTTP/1.1 302 Found\r\nlocation: /fine\r\ncontent-length: 0\r\n\r\n",
    "/http2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),
    "/short": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
    "/chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "/headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
    "/line": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
    "/nothing": b"",
}


class Server(ThreadingHTTPServer):
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    """Answers as it likes: by bytes, one at a time, or without an end."""

    def do_GET(self) -> None:
        self.close_connection = True
        try:
            if self.path in GIVEN:
                self.wfile.write(GIVEN[self.path])
            elif self.path == "/flood":
                self.wfile.write(FLOOD)
                while True:
                    self.wfile.write(b"x" * 65_536)
            else:
                self.wfile.write(DRIPS[self.path])
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.02)
        except OSError:
            return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + self.headers["content-type"].encode() + body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_is_read_and_json_is_posted(base: str) -> None:
    assert ask(f"{base}/fine", 120) == Page(200, b"ok", whole=True)
    assert ask(f"{base}/fine", 120, b"[1]") == Page(200, b"application/json[1]", whole=True)


def test_a_redirect_is_an_answer_like_others(base: str) -> None:
    assert ask(f"{base}/moved", 120).status == 302


def test_no_more_is_read_than_is_taken(base: str) -> None:
    assert ask(f"{base}/long", 120) == Page(200, b"x" * MOST_BYTES, whole=True)
    assert ask(f"{base}/flood", 120) == Page(200, b"x" * MOST_BYTES, whole=False)


@pytest.mark.parametrize("path", DRIPS)
def test_an_answer_that_never_ends_is_waited_for_no_longer_than_was_said(
    base: str, path: str
) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no whole answer came within 0\.5 s"):
        ask(f"{base}{path}", 0.5)
    assert time.monotonic() - begin < 120


@pytest.mark.parametrize("path", ["/http2", "/short", "/chunks", "/headers", "/line", "/nothing"])
def test_what_is_no_http_is_an_error_like_a_server_that_is_not_there(base: str, path: str) -> None:
    with pytest.raises(OSError, match=r"answer|closed"):
        ask(f"{base}{path}", 120)
