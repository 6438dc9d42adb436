"""The watcher of TorchServe's start, beside a stand-in for TorchServe and for Envoy's admin."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[4] / "images" / "server" / "torchserve"

PARENT = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
subprocess.run([sys.executable, "-m", "slipway_pods.serve.startup"])
"""
"""Starts the watcher and ends after it, as TorchServe does not; a signal ends it sooner."""

START = "s_name_part0=/tmp/.ts.sock, s_name_part1=9000, pid=1\nTorch worker started.\n"
TRACEBACK = "Traceback (most recent call last):\n  load()\n"
CRASH = f"{START}{TRACEBACK}RuntimeError: the vocabulary is missing\nBackend worker process died.\n"


class Management:
    """TorchServe's management API, by what it says of the model iris; and Envoy's, by its posts."""

    def __init__(self) -> None:
        self.states: list[str] | None = []
        self.posts: list[str] = []
        self.asked: list[Any] = []
        self.answer: tuple[int, str] = (200, "[1.0]")
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == "/models/iris" and api.states is not None
                workers = [{"id": "9000", "status": state} for state in api.states or ()]
                body = json.dumps([{"modelName": "iris", "workers": workers}]).encode()
                self.send_response(200 if known else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                api.posts.append(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                predicts = self.path.startswith("/predictions/")
                if predicts:
                    api.asked.append(json.loads(body))
                code, text = api.answer if predicts else (200, "")
                self.send_response(code)
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def management() -> Iterator[Management]:
    found = Management()
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def watch(folder: Path, management: Management | None, **settings: str) -> tuple[int, Any]:
    """Return how the watched process ended, and the termination message if there is one."""
    port = management.server.server_address[1] if management else 1
    word = folder / "termination"
    env = {
        **os.environ,
        "SLIPWAY_MODEL": "iris",
        "SLIPWAY_MANAGEMENT": f"http://127.0.0.1:{port}",
        "SLIPWAY_INFERENCE": f"http://127.0.0.1:{port}",
        "SLIPWAY_ENVOY_ADMIN": f"http://127.0.0.1:{port}",
        "SLIPWAY_TERMINATION_LOG": str(word),
        "LOG_LOCATION": str(folder),
        "SLIPWAY_DEATHS_PORT": "0",
        **settings,
    }
    done = subprocess.run([sys.executable, "-c", PARENT], env=env, timeout=120, check=False)
    return done.returncode, json.loads(word.read_text()) if word.exists() else None


def test_it_leaves_when_all_workers_are_ready(tmp_path: Path, management: Management) -> None:
    management.states = ["READY", "READY"]
    (tmp_path / "model.log").write_text(CRASH * 2)
    assert watch(tmp_path, management, SLIPWAY_WORKERS="2") == (0, None)


def test_a_worker_that_ends_again_and_again_ends_the_server_with_its_log(
    tmp_path: Path, management: Management
) -> None:
    management.states = ["UNLOADING"]
    (tmp_path / "model.log").write_text("before\n" + CRASH * 3 + START)
    code, word = watch(tmp_path, management)
    assert code == -signal.SIGTERM
    assert word["reason"] == "ModelLoadFailed"
    assert "ended 3 times" in word["message"]
    assert "RuntimeError: the vocabulary is missing" in word["logTail"]
    assert word["logTail"].endswith("Backend worker process died.")


def test_an_attempt_whose_traceback_is_lost_does_not_hide_that_of_the_one_before(
    tmp_path: Path, management: Management
) -> None:
    management.states = ["UNLOADING"]
    (tmp_path / "model.log").write_text(CRASH * 2 + START + "Connection accepted.\n" + START)
    _, word = watch(tmp_path, management)
    assert "RuntimeError: the vocabulary is missing" in word["logTail"]


def test_several_workers_may_end_more_often(tmp_path: Path, management: Management) -> None:
    management.states = ["LOADING"] * 2
    (tmp_path / "model.log").write_text(CRASH * 6)
    settings = {"SLIPWAY_WORKERS": "2", "SLIPWAY_STARTUP_SECONDS": "0"}
    _, word = watch(tmp_path, management, **settings)
    assert "had not loaded the model in 0 s" in word["message"]


def test_a_start_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    (tmp_path / "model.log").write_text(START + "downloading the vocabulary\n")
    code, word = watch(tmp_path, None, SLIPWAY_STARTUP_SECONDS="1")
    assert code == -signal.SIGTERM
    assert "had not loaded the model in 1 s" in word["message"]
    assert "downloading the vocabulary" in word["logTail"]


def test_a_server_that_ends_well_on_sigterm_is_ended_by_what_its_exit_code_tells(
    tmp_path: Path,
) -> None:
    settings = {"SLIPWAY_STARTUP_SECONDS": "1", "SLIPWAY_END_SIGNAL": "SIGINT"}
    code, _ = watch(tmp_path, None, **settings)
    assert code == -signal.SIGINT


def test_an_archive_says_itself_how_long_its_start_may_take(tmp_path: Path) -> None:
    archive = tmp_path / "iris.mar"
    with zipfile.ZipFile(archive, "w") as bundle:
        model = {"modelName": "iris", "handler": "handler.py", "configFile": "mc.yaml"}
        bundle.writestr("MAR-INF/MANIFEST.json", json.dumps({"model": model}))
        bundle.writestr("mc.yaml", "startupTimeout: 1\n")
    _, word = watch(tmp_path, None, SLIPWAY_ARCHIVE=str(archive))
    assert "had not loaded the model in 1 s" in word["message"]


@pytest.mark.parametrize("states", [None, []])
def test_an_archive_that_torchserve_does_not_take_is_told_at_once(
    tmp_path: Path, management: Management, states: list[str] | None
) -> None:
    management.states = states
    (tmp_path / "model.log").write_text("Error while registering model. Details: no handler\n")
    code, word = watch(tmp_path, management)
    assert code == -signal.SIGTERM
    assert "did not take the archive" in word["message"]
    assert "no handler" in word["logTail"]


def test_a_start_takes_back_what_the_hook_told_envoy_when_the_container_was_stopped(
    tmp_path: Path, management: Management
) -> None:
    management.states = ["READY"]
    assert watch(tmp_path, management) == (0, None)
    assert management.posts == ["/healthcheck/ok"]


SMOKE = {"request": [[5.1]], "expected": [1.0005], "tolerance": 0.001}


def smoke(folder: Path, management: Management, **test: Any) -> tuple[int, Any]:
    """Return how a start with a smoke test ended, and the termination message if there is one."""
    path = folder / "smoke.json"
    path.write_text(json.dumps(test or SMOKE))
    management.states = ["READY"]
    return watch(folder, management, SLIPWAY_SMOKE_TEST=str(path))


def test_a_pod_is_held_back_until_its_smoke_test_has_passed(
    tmp_path: Path, management: Management
) -> None:
    assert smoke(tmp_path, management) == (0, None)
    assert management.posts == ["/healthcheck/fail", "/predictions/iris", "/healthcheck/ok"]
    assert management.asked == [[[5.1]]]


def test_a_wrong_answer_to_the_smoke_test_ends_the_server_and_never_lets_requests_in(
    tmp_path: Path, management: Management
) -> None:
    management.answer = (200, "[1.1]")
    code, word = smoke(tmp_path, management)
    assert code == -signal.SIGTERM
    assert word["reason"] == "SmokeTestFailed"
    assert word["message"] == (
        "The smoke test's answer is not the expected one: at [0] it is 1.1 instead of 1.0005 "
        "(± 0.001)."
    )
    assert "/healthcheck/ok" not in management.posts


def test_a_smoke_test_without_an_expected_answer_wants_any(
    tmp_path: Path, management: Management
) -> None:
    assert smoke(tmp_path, management, request=[1]) == (0, None)
    management.answer = (503, "the handler failed")
    _, word = smoke(tmp_path, management, request=[1])
    assert word["reason"] == "SmokeTestFailed"
    assert "answered with 503: the handler failed" in word["message"]


def test_a_smoke_test_that_envoy_does_not_wait_for_is_not_left_out(tmp_path: Path) -> None:
    path = tmp_path / "smoke.json"
    path.write_text(json.dumps(SMOKE))
    code, word = watch(tmp_path, None, SLIPWAY_SMOKE_TEST=str(path))
    assert code == -signal.SIGTERM
    assert "Envoy cannot be told" in word["message"]


def test_a_container_that_is_started_again_is_not_judged_by_its_old_log(tmp_path: Path) -> None:
    """The volume with the log outlives the container: what lies there is of the start before."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\ncat "$LOG_LOCATION/model.log" 2>/dev/null || echo no old log\n')
    java.chmod(0o755)
    (tmp_path / "model.log").write_text(CRASH * 4)
    env = {"PATH": f"{java.parent}:{os.environ['PATH']}", "LOG_LOCATION": str(tmp_path)}
    started = subprocess.run(["sh", SCRIPT], env=env, capture_output=True, timeout=60, check=True)
    assert started.stdout == b"no old log\n"


def test_a_server_without_settings_is_left_alone(tmp_path: Path) -> None:
    assert watch(tmp_path, None, SLIPWAY_WORKERS="many") == (0, None)
