"""Drain a server pod whose own image has no program for that, and test its model.

A sidecar. The kubelet's preStop hook asks it, through Envoy: ``GET /drain`` is answered when no
client needs the pod any more (see `slipway_runtime.drain`), and the server has been told. Once the
server is gone, the drain is taken back, in case that the container was stopped and not the pod.
With a smoke test Envoy says that the pod is not ready until the model has passed. A model that
fails ends the program, with the reason SmokeTestFailed in the termination message.

Variables: ``SLIPWAY_SERVER_PORT`` (the server's), ``SLIPWAY_READY_PATH`` (its page that answers 200
when it takes requests; without it a connection is enough), ``SLIPWAY_DRAIN_PATH`` (its page that is
asked before it is stopped), ``SLIPWAY_PREDICT_PATH`` (where the smoke test asks),
``SLIPWAY_SMOKE_TEST``, ``SLIPWAY_RESPONSE_SECONDS`` and ``SLIPWAY_STARTUP_SECONDS`` (as for
`slipway_pods.serve.startup`), ``SLIPWAY_HOOKS_PORT`` (9903), and those of `slipway_runtime.drain`.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from slipway_pods.serve import page
from slipway_pods.serve.smoke import SmokeTest, SmokeTestError
from slipway_runtime import drain
from slipway_runtime.termination import Stopped, say, stop_on_signal, write_message

PORT = 9903
POLL_SECONDS = 0.25
ASK_SECONDS = 5.0
"""Longest wait for an answer that tells whether the server is ready, and the shortest for its page
that is asked before it is stopped: that has what is left of the time to drain."""
HOST = "127.0.0.1"
_HEALTHY = "cluster.torchserve_readiness.membership_healthy"
"""Envoy's count of servers that are ready; see `slipway.envoy.clusters` in the operator."""


@dataclass(frozen=True)
class Settings:
    """The server, and what is asked of it; times are in seconds."""

    server_port: int
    ready_path: str = ""
    drain_path: str = ""
    predict_path: str = "/predict"
    smoke_test: Path | None = None
    longest_answer: float = 120.0
    longest_start: float = 600.0
    port: int = PORT

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings; raises ValueError for a number that is none, KeyError for no port."""
        return cls(
            server_port=int(env["SLIPWAY_SERVER_PORT"]),
            ready_path=env.get("SLIPWAY_READY_PATH", ""),
            drain_path=env.get("SLIPWAY_DRAIN_PATH", ""),
            predict_path=env.get("SLIPWAY_PREDICT_PATH", cls.predict_path),
            smoke_test=Path(env["SLIPWAY_SMOKE_TEST"]) if "SLIPWAY_SMOKE_TEST" in env else None,
            longest_answer=float(env.get("SLIPWAY_RESPONSE_SECONDS", cls.longest_answer)),
            longest_start=float(env.get("SLIPWAY_STARTUP_SECONDS", cls.longest_start)),
            port=int(env.get("SLIPWAY_HOOKS_PORT", cls.port)),
        )

    def url(self, path: str) -> str:
        """Return the address of one of the server's pages."""
        return f"http://{HOST}:{self.server_port}{path}"


@dataclass
class Hooks:
    """The pod's hooks: one drain at a time, which is taken back when the server is gone."""

    settings: Settings
    envoy: drain.Settings
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _drained: threading.Event = field(default_factory=threading.Event)

    def drain(self) -> None:
        """Drain the pod, and tell the server; whatever fails holds nothing up."""
        with self._lock:
            end = time.monotonic() + self.envoy.most
            try:
                seconds = drain.drain(self.envoy)
                say(f"drained in {seconds:.1f} s")
            except TimeoutError as error:
                say(f"stopped waiting: {error}")
            except (OSError, ValueError) as error:
                say(f"not drained: {error}")
            self._tell_server(max(ASK_SECONDS, end - time.monotonic()))
            self._drained.set()

    def _tell_server(self, seconds: float) -> None:
        """Ask the server's page; the pod's grace period is for its end too."""
        if not self.settings.drain_path:
            return
        try:
            _ask(self.settings.url(self.settings.drain_path), seconds)
        except OSError as error:
            say(f"the server was not told to drain: {error}")

    def watch(self) -> None:
        """Take back each drain when the server that it was for is gone, for ever."""
        while True:
            self._drained.wait()
            while listens(self.settings.server_port) or is_healthy(self.envoy):
                time.sleep(POLL_SECONDS)
            self._drained.clear()
            take_back(self.envoy)


def take_back(envoy: drain.Settings) -> None:
    """Have Envoy say again what it finds; it may be gone with the pod."""
    try:
        drain.resume(envoy)
    except OSError as error:
        say(f"the drain was not taken back: {error}")


def is_healthy(envoy: drain.Settings) -> bool:
    """Tell whether Envoy still takes the server for ready, which a few failed checks end."""
    try:
        text = drain.call(envoy, f"/stats?filter=^{_HEALTHY.replace('.', '[.]')}$", None)
    except OSError:
        return False
    return text.strip() == f"{_HEALTHY}: 1"


def listens(port: int) -> bool:
    """Tell whether the server takes connections."""
    try:
        with socket.create_connection((HOST, port), timeout=ASK_SECONDS):
            return True
    except OSError:
        return False


def is_ready(settings: Settings) -> bool:
    """Tell whether the server takes requests."""
    if not settings.ready_path:
        return listens(settings.server_port)
    try:
        _ask(settings.url(settings.ready_path), ASK_SECONDS)
    except OSError:
        return False
    return True


def _ask(url: str, seconds: float) -> None:
    """Ask a page of the server; raises OSError where it does not answer well."""
    status = page.ask(url, seconds).status
    if not 200 <= status <= 299:
        raise OSError(f"it answered {status}")


def passes(settings: Settings, path: Path, envoy: drain.Settings) -> bool:
    """Test the model before Envoy lets any user's request in; tell why it fails.

    Raises OSError where Envoy cannot be told.
    """
    drain.hold(envoy)
    deadline = time.monotonic() + settings.longest_start
    while not is_ready(settings) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    try:
        test = SmokeTest.read(path)
        test.run(settings.url(settings.predict_path), settings.longest_answer)
    except (SmokeTestError, OSError, ValueError, KeyError) as error:
        own = isinstance(error, SmokeTestError)
        message = str(error) if own else f"The smoke test cannot be read: {error!r}."
        write_message({"reason": "SmokeTestFailed", "message": message})
        say(message)
        return False
    drain.resume(envoy)
    return True


class _Handler(BaseHTTPRequestHandler):
    """``GET /drain`` and ``GET /livez``."""

    hooks: Hooks

    def do_GET(self) -> None:
        """Answer when it is done."""
        if self.path == "/drain":
            self.hooks.drain()
        self.send_response(200 if self.path in ("/drain", "/livez") else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing: probes would fill the log."""


def serve(hooks: Hooks) -> ThreadingHTTPServer:
    """Listen, in threads of its own; returns the server."""
    handler = type("Handler", (_Handler,), {"hooks": hooks})
    server = ThreadingHTTPServer((HOST, hooks.settings.port), handler)
    for work in (server.serve_forever, hooks.watch):
        threading.Thread(target=work, daemon=True).start()
    return server


def run(settings: Settings, envoy: drain.Settings) -> int:
    """Answer the hooks until the pod ends; returns 1 where the model does not pass its test."""
    serve(Hooks(settings, envoy))
    test = settings.smoke_test
    if test is not None and not passes(settings, test, envoy):
        return 1
    threading.Event().wait()
    return 0


def main() -> int:
    """Read the settings and run; returns the exit code."""
    stop_on_signal()
    try:
        return run(
            Settings.from_environment(os.environ), drain.Settings.from_environment(os.environ)
        )
    except Stopped:
        return 0
    except (OSError, ValueError, KeyError) as error:
        say(f"the pod's hooks are not there: {error!r}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
