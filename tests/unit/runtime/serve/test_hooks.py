"""The program that drains the pod of a server that has none, before a real Envoy."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.harness.ports import free_port
from tests.harness.waiting import wait_for
from tests.unit.runtime.serve.test_drain import LONG, Door

RAW = {
    "/http2": b"\x00\x00\x12\x04" + bytes(23),
    "/moved": b"HTTP/1.0 302 Found\r\nlocation: /flush\r\n\r\n",
}
"""Answers that are no page of their own."""


class Model(ThreadingHTTPServer):
    """A server of a user's own; ``ready`` is the code of its page, ``answer`` its prediction."""

    daemon_threads = True
    ready = 200
    answer: Any = 1

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Model

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path in RAW:
            self.wfile.write(RAW[self.path])
            return
        while self.path == "/drip":
            self.wfile.write(b"HTTP")
            time.sleep(0.1)
        self._tell(self.server.ready if self.path == "/healthz" else 200, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(self.path)
        answer = self.server.answer
        self._tell(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def _tell(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    made.upstream.allowed.set()
    yield made
    made.close()


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model()
    yield made
    made.stop()


@contextmanager
def hooks(
    door: Door, model: Model, log: Path, **more: str
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the program; yield its process and its address."""
    port = free_port()
    env = {
        "SLIPWAY_SERVER_PORT": str(model.server_port),
        "SLIPWAY_HOOKS_PORT": str(port),
        "SLIPWAY_ENVOY_ADMIN": door.settings.admin,
        "SLIPWAY_DRAIN_SECONDS": "120",
        "SLIPWAY_DRAIN_MIN_SECONDS": "0",
        "SLIPWAY_TERMINATION_LOG": str(log),
        "PYTHONPATH": ":".join(sys.path),
        **more,
    }
    command = [sys.executable, "-m", "slipway_pods.serve.hooks"]
    with subprocess.Popen(command, env=env) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(LONG)


def ask(url: str) -> int:
    with urllib.request.urlopen(url, timeout=LONG) as answer:
        return int(answer.status)


def listens(url: str) -> bool:
    try:
        return ask(f"{url}/livez") == 200
    except OSError:
        return False


def test_the_hook_lasts_until_nobody_is_connected_and_the_server_was_told(
    door: Door, model: Model, tmp_path: Path
) -> None:
    with hooks(door, model, tmp_path / "log", SLIPWAY_DRAIN_PATH="/flush") as (process, url):
        wait_for(lambda: listens(url), LONG, "the hooks listen")
        assert door.status("/readyz") == 200
        assert ask(f"{url}/drain") == 200
        assert door.status("/readyz") == 503
        assert model.asked == ["/flush"]
        process.terminate()
        assert process.wait(LONG) == 0


def test_a_drain_is_taken_back_once_the_server_was_stopped_and_the_pod_was_not(
    door: Door, model: Model, tmp_path: Path
) -> None:
    with hooks(door, model, tmp_path / "log") as (_, url):
        wait_for(lambda: listens(url), LONG, "the hooks listen")
        ask(f"{url}/drain")
        assert door.status("/readyz") == 503
        model.stop()
        wait_for(lambda: door.status("/readyz") == 200, LONG, "the pod may be ready again")


def test_a_server_that_cannot_be_told_is_stopped_all_the_same(
    door: Door, model: Model, tmp_path: Path
) -> None:
    model.stop()
    with hooks(door, model, tmp_path / "log", SLIPWAY_DRAIN_PATH="/flush") as (_, url):
        wait_for(lambda: listens(url), LONG, "the hooks listen")
        assert ask(f"{url}/drain") == 200


@pytest.mark.parametrize("path", ["/http2", "/drip", "/moved"])
def test_a_server_that_answers_nonsense_is_stopped_all_the_same(
    door: Door, model: Model, tmp_path: Path, path: str
) -> None:
    env = {"SLIPWAY_DRAIN_PATH": path, "SLIPWAY_DRAIN_SECONDS": "1"}
    with hooks(door, model, tmp_path / "log", **env) as (_, url):
        wait_for(lambda: listens(url), LONG, "the hooks listen")
        assert ask(f"{url}/drain") == 200
        wait_for(lambda: model.asked, LONG, "the server was asked")
        assert model.asked == [path]


def smoke_file(folder: Path, expected: Any) -> str:
    path = folder / "smoke.json"
    path.write_text(json.dumps({"request": [1], "expected": expected}))
    return str(path)


def test_no_request_is_let_in_before_the_model_has_passed_its_test(
    door: Door, model: Model, tmp_path: Path
) -> None:
    model.ready = 503
    env = {
        "SLIPWAY_SMOKE_TEST": smoke_file(tmp_path, 1),
        "SLIPWAY_READY_PATH": "/healthz",
        "SLIPWAY_PREDICT_PATH": "/v1/models/iris:predict",
    }
    with hooks(door, model, tmp_path / "log", **env):
        wait_for(lambda: len(model.asked) > 2, LONG, "the server was asked whether it is ready")
        assert door.status("/readyz") == 503
        assert set(model.asked) == {"/healthz"}
        model.ready = 200
        wait_for(lambda: door.status("/readyz") == 200, LONG, "the model has passed")
        assert model.asked[-1] == "/v1/models/iris:predict"


def test_a_model_that_fails_its_test_ends_the_program_with_the_reason(
    door: Door, model: Model, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with hooks(door, model, log, SLIPWAY_SMOKE_TEST=smoke_file(tmp_path, 2)) as (process, _):
        assert process.wait(LONG) == 1
    told = json.loads(log.read_text())
    assert told["reason"] == "SmokeTestFailed"
    assert "it is 1 instead of 2" in told["message"]
    assert door.status("/readyz") == 503


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"[" * 100_000, "it is"),
        (b"9" * 4000, "it is 999"),
        (b"[" + b"[]," * 400_000 + b"1]", "is longer than 1048576 bytes"),
    ],
)
def test_an_answer_that_breaks_who_reads_it_fails_the_test_with_a_word(
    door: Door, model: Model, tmp_path: Path, answer: bytes, told: str
) -> None:
    model.answer, log = answer, tmp_path / "log"
    with hooks(door, model, log, SLIPWAY_SMOKE_TEST=smoke_file(tmp_path, 1.5)) as (process, _):
        assert process.wait(LONG) == 1
    last = json.loads(log.read_text())
    assert last["reason"] == "SmokeTestFailed"
    assert told in last["message"]


def test_a_page_that_leads_elsewhere_is_not_ready_as_envoy_sees_it(
    door: Door, model: Model, tmp_path: Path
) -> None:
    env = {"SLIPWAY_SMOKE_TEST": smoke_file(tmp_path, 1), "SLIPWAY_READY_PATH": "/moved"}
    with hooks(door, model, tmp_path / "log", **env):
        wait_for(lambda: len(model.asked) > 4, LONG, "the server was asked whether it is ready")
        assert set(model.asked) == {"/moved"}
