"""The sidecar of a training pod: hands out the launcher, serves metrics, has the output stored.

It alone holds the store's credentials; the user's script never sees them. It waits for as long as
the training runs, so it keeps small: standard library only, and the store's libraries in a child
process that lives as long as the upload.

Variables: ``SLIPWAY_RUN_DIR``, ``SLIPWAY_OUTPUT_DIR``, ``SLIPWAY_OUTPUT_URI`` (empty: nothing is
stored), ``SLIPWAY_METRICS_PORT`` (9400), ``SLIPWAY_CHECKPOINT_URI`` and what
`slipway_pods.agent.checkpoint_agent` reads (absent: no checkpoints are kept), and the folders of
`slipway_pods.store.credentials`. ``SLIPWAY_AGENT_DIR`` is what it hands out, where the script
cannot write; in pods of release 0.2.0 it was the run folder.
"""

import contextlib
import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import slipway_runtime
from slipway_pods.agent import metrics
from slipway_pods.agent.answering import AnsweringServer, Send
from slipway_pods.store import credentials
from slipway_runtime.control import SOCKET_NAME, agent_dir
from slipway_runtime.termination import Stopped, say, stop_on_signal, write_message

PYTHON = (sys.executable, "-I", "-m")
"""How a module of ours is run: without the working folder, ``PYTHON*`` and the user's own packages
on its path, so that nothing that a script may write is ever imported."""

LAUNCHER = '''\
"""Start the launcher that lies beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from slipway_runtime.launcher.launch import main

sys.exit(main(sys.argv[1:]))
'''


def hand_out(folder: Path) -> None:
    """Put the launcher and what it needs into the folder shared with the trainer container.

    That is the whole package `slipway_runtime`: what lies in its folder goes into the user's image.
    """
    package = Path(slipway_runtime.__file__).parent
    for source in sorted(package.rglob("*.py")):
        target = folder / "lib" / package.name / source.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, source.read_text(encoding="utf-8"))
    _replace(folder / "launch.py", LAUNCHER)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


class Uploads:
    """Runs one upload at a time, each in a process of its own."""

    def __init__(self, folder: Path, uri: str) -> None:
        self._command = [*PYTHON, "slipway_pods.agent.upload", str(folder), uri]
        self._uri = uri
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None

    def events(self) -> Generator[dict[str, Any], None, None]:
        """Yield the answers of one upload; closing the generator ends its process."""
        if not self._uri:
            yield {"event": "done", "output": None}
            return
        yield {"event": "working", "message": f"storing the output at {self._uri}"}
        with self._lock:
            child = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                text=True,
                cwd="/",
                env=credentials.child_environment(),
            )
            self._child = child
            try:
                yield from self._answers(child)
            finally:
                self.stop()

    def answer(self, request: Mapping[str, Any], send: Send) -> None:
        """Store the output where that is asked; a trainer that goes away ends its upload.

        What was stored is this container's last word, since it alone knows that for certain.
        """
        if request.get("command") != "upload":
            send({"event": "failed", "message": "The only command is upload."})
            return
        with contextlib.closing(self.events()) as events:
            for event in events:
                say(json.dumps(event))
                if event.get("event") == "done":
                    write_message({"reason": "Stored", "output": event.get("output")})
                send(event)

    def stop(self) -> None:
        """End the running upload, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def _answers(self, child: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
        last: dict[str, Any] = {}
        for line in child.stdout or ():
            last = json.loads(line)
            yield last
        if last.get("event") not in ("done", "failed"):
            code = child.wait()
            why = f"The process that stores the output ended with {code}: see the sidecar's log."
            yield {"event": "failed", "message": why}


class Keeper:
    """The process that keeps checkpoints, started again where it dies; nothing without a URI."""

    def __init__(self, uri: str) -> None:
        self._wanted = bool(uri)
        self._child: subprocess.Popen[bytes] | None = None
        if self._wanted:
            self._start()
            threading.Thread(target=self._watch, daemon=True).start()

    def finish(self) -> None:
        """Let it store what the script has announced, and wait for its end."""
        self._wanted = False
        if self._child is not None:
            self._child.terminate()
            self._child.wait()

    def _start(self) -> None:
        command = [*PYTHON, "slipway_pods.agent.checkpoint_agent"]
        env = credentials.keeper_environment()
        self._child = subprocess.Popen(command, cwd="/", env=env)

    def _watch(self) -> None:
        while self._wanted and self._child is not None:
            code = self._child.wait()
            if self._wanted:
                say(f"the process that keeps checkpoints ended with {code}; it is started again")
                threading.Event().wait(1.0)
                self._start()


class MetricsServer(ThreadingHTTPServer):
    """Serves ``/metrics`` in Prometheus' text format, and nothing else."""

    def __init__(self, port: int, render: Callable[[], str]) -> None:
        super().__init__(("", port), MetricsHandler)
        self.render = render


class MetricsHandler(BaseHTTPRequestHandler):
    """One scrape."""

    server: MetricsServer
    timeout = 10

    def do_GET(self) -> None:
        """Answer ``/metrics``; 404 for all else."""
        if self.path.split("?")[0] != "/metrics":
            self.send_error(404, "only /metrics is served here")
            return
        body = self.server.render().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Keep scrapes out of the log."""


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    stop_on_signal()
    run_dir = Path(os.environ["SLIPWAY_RUN_DIR"])
    own_dir = agent_dir(os.environ)
    uri = os.environ.get("SLIPWAY_OUTPUT_URI", "")
    restore_dir = os.environ.get("SLIPWAY_RESTORE_DIR")
    uploads = Uploads(Path(os.environ["SLIPWAY_OUTPUT_DIR"]), uri)
    store_up = metrics.StoreProbe(uri, credentials.current())
    keeper = Keeper(os.environ.get("SLIPWAY_CHECKPOINT_URI", ""))
    servers: list[socketserver.BaseServer] = []
    try:
        servers.append(AnsweringServer(own_dir / SOCKET_NAME, uploads.answer))
        port = int(os.environ.get("SLIPWAY_METRICS_PORT", "9400"))
        servers.append(MetricsServer(port, lambda: metrics.render(run_dir, store_up, restore_dir)))
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        hand_out(own_dir)
        _replace(own_dir / "ready", "")
        threading.Event().wait()
    except Stopped:
        uploads.stop()
        keeper.finish()
    return 0


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main())
