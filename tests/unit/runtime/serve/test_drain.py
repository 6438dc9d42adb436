import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime import drain as module
from slipway_runtime.drain import Settings, connections, drain, resume
from tests.harness.ports import free_port
from tests.harness.quickness import pauses
from tests.harness.waiting import wait_for

QUIET = 1.0
"""How long nothing must come before a drain ends, in seconds."""
LONG = 120.0
"""How long anything may take, in seconds."""


class SlowServer(ThreadingHTTPServer):
    """Answers a request once it is allowed to; in TorchServe's place."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SlowHandler)
        self.allowed = threading.Event()


class SlowHandler(BaseHTTPRequestHandler):
    server: SlowServer

    def do_GET(self) -> None:
        self.server.allowed.wait(LONG)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


def bootstrap(http: int, admin: int, upstream: int) -> dict[str, Any]:
    """Return the least Envoy configuration with a users' listener and an admin interface."""

    def address(port: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    types = "type.googleapis.com/envoy.extensions.filters"
    health = {
        "@type": f"{types}.http.health_check.v3.HealthCheck",
        "pass_through_mode": False,
        "headers": [{"name": ":path", "string_match": {"exact": "/readyz"}}],
    }
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "health", "typed_config": health},
            {
                "name": "router",
                "typed_config": {"@type": f"{types}.http.router.v3.Router"},
            },
        ],
    }
    listener = {
        "name": "http",
        "address": address(http),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    endpoint = {"endpoint": {"address": address(upstream)}}
    cluster = {
        "name": "upstream",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    return {
        "admin": {"address": address(admin)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


class Door:
    """A real Envoy in front of a slow server."""

    def __init__(self) -> None:
        self.upstream = SlowServer()
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        self.port, self.admin = free_port(), free_port()
        envoy = Path(sys.executable).with_name("envoy")
        config = json.dumps(bootstrap(self.port, self.admin, self.upstream.server_port))
        command = [str(envoy), "--config-yaml", config, "--disable-hot-restart", "-l", "error"]
        self.process = subprocess.Popen([*command, "--concurrency", "1"])
        self.settings = Settings(f"http://127.0.0.1:{self.admin}", "http", LONG, 0.0, QUIET)
        wait_for(lambda: self.status("/readyz") == 200, LONG, "Envoy is ready")

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=LONG) as answer:
            return answer.status, answer.read().decode()

    def status(self, path: str) -> int:
        try:
            return self.get(path)[0]
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def close(self) -> None:
        self.upstream.allowed.set()
        self.process.kill()
        self.process.wait()
        self.upstream.shutdown()


@pytest.fixture
def door() -> Iterator[Door]:
    opened = Door()
    yield opened
    opened.close()


def test_readiness_ends_before_anything_is_waited_for(door: Door) -> None:
    assert door.status("/readyz") == 200
    assert drain(door.settings) < LONG
    assert door.status("/readyz") == 503


def test_a_server_that_is_started_again_in_its_pod_can_be_ready_again(door: Door) -> None:
    drain(door.settings)
    resume(door.settings)
    assert door.status("/readyz") == 200


def test_a_request_in_flight_is_answered_before_the_drain_ends(door: Door) -> None:
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(door.get("/predict")))
    asking.start()
    wait_for(lambda: connections(door.settings).requests == 1, LONG, "Envoy works on the request")
    draining = threading.Thread(target=drain, args=(door.settings,))
    draining.start()
    wait_for(lambda: door.status("/readyz") == 503, LONG, "readiness has ended")
    assert draining.is_alive()
    door.upstream.allowed.set()
    draining.join(timeout=LONG)
    asking.join(timeout=LONG)
    assert not draining.is_alive()
    assert answers == [(200, "done")]


def test_a_connection_that_a_client_keeps_open_gets_one_more_answer(door: Door) -> None:
    door.upstream.allowed.set()
    client = http.client.HTTPConnection("127.0.0.1", door.port, timeout=LONG)
    client.request("GET", "/predict")
    assert client.getresponse().read() == b"done"
    draining = threading.Thread(target=drain, args=(door.settings,))
    draining.start()
    draining.join(timeout=1.5)
    assert draining.is_alive()
    client.request("GET", "/predict")
    answer = client.getresponse()
    assert (answer.read(), answer.getheader("connection")) == (b"done", "close")
    draining.join(timeout=LONG)
    assert not draining.is_alive()


def test_the_pod_is_not_drained_while_new_connections_still_come(door: Door) -> None:
    """Other nodes may hear late that the pod is no endpoint any more."""
    door.upstream.allowed.set()
    answers: list[tuple[int, str]] = []
    moments: list[float] = []
    drained: list[float] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.wait(0.05):
            moments.append(time.monotonic())
            answers.append(door.get("/predict"))

    asking = threading.Thread(target=keep_asking)
    draining = threading.Thread(target=lambda: drained.append(drain(door.settings)))
    asking.start()
    wait_for(lambda: answers, LONG, "the first answer")
    draining.start()
    draining.join(timeout=3 * QUIET)
    moments.append(time.monotonic())
    pause = max(after - before for before, after in pairwise(moments))
    assert drained == [] or pause > QUIET / 2, "they came without a pause"
    stop.set()
    asking.join(timeout=LONG)
    draining.join(timeout=LONG)
    assert len(drained) == 1
    assert set(answers) == {(200, "done")}


class SlowAdmin(ThreadingHTTPServer):
    """In place of Envoy's admin interface: chosen answers are late, and nothing is ever open."""

    daemon_threads = True

    def __init__(self, late: set[int]) -> None:
        super().__init__(("127.0.0.1", 0), SlowAdminHandler)
        self.late, self.asked = late, list[str]()


class SlowAdminHandler(BaseHTTPRequestHandler):
    server: SlowAdmin

    def do_GET(self) -> None:
        self.server.asked.append(self.path.split("?")[0])
        if len(self.server.asked) in self.server.late:
            time.sleep(6)
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"http.http.downstream_cx_active: 0\n")
            self.wfile.write(b"http.http.downstream_cx_total: 7\n")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


def test_an_envoy_that_answers_late_is_told_and_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 3.0)
    server = SlowAdmin(late={1, 4})  # the first word to it, and a look in the middle
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pauses() as longest:
            drain(Settings(f"http://127.0.0.1:{server.server_port}", "http", LONG, 0.0, QUIET))
    finally:
        server.shutdown()
    first = ["/healthcheck/fail", "/healthcheck/fail", "/stats", "/stats"]
    assert server.asked[:2] == first[:2]
    assert server.asked[-1] == "/stats"
    is_exact = server.asked[2:5] == [*first[2:], "/healthcheck/fail"]
    is_exact &= set(server.asked[5:]) == {"/stats"}
    assert is_exact or longest() > module.ANSWER_SECONDS / 2, "no other answer was late"


def test_a_request_that_takes_too_long_ends_the_wait(door: Door) -> None:
    asking = threading.Thread(target=door.status, args=("/predict",))
    asking.start()
    wait_for(lambda: connections(door.settings).requests == 1, LONG, "Envoy works on the request")
    with pytest.raises(TimeoutError, match="1 connections are still open, with 1 requests"):
        drain(Settings(door.settings.admin, "http", longest=0.5, shortest=0.0, quiet=0.1))
    door.upstream.allowed.set()
    asking.join(timeout=LONG)


@pytest.mark.parametrize("longest", [10.0, 0.2])
def test_the_endpoints_get_their_time_even_where_nothing_is_in_flight(
    door: Door, longest: float
) -> None:
    start = time.monotonic()
    drain(Settings(door.settings.admin, "http", longest, shortest=2.0, quiet=0.5))
    assert time.monotonic() - start >= 2.0


@pytest.mark.parametrize("seconds", ["30", "soon"])
def test_a_pod_without_envoy_or_with_a_wrong_setting_is_not_held_up(seconds: str) -> None:
    env = {
        **os.environ,
        "SLIPWAY_ENVOY_ADMIN": f"http://127.0.0.1:{free_port()}",
        "SLIPWAY_DRAIN_SECONDS": seconds,
    }
    command = [sys.executable, "-m", "slipway_runtime.drain"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "not drained" in done.stderr
