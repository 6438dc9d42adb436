"""Follow the workers of a TorchServe that serves, and tell on a page why one died last.

TorchServe replaces a worker that dies and logs no cause, while Envoy takes the pod out. The page is
one JSON object on loopback, which Envoy offers on the pod's operations port. Its ``cause`` is the
name of a signal, ``OOMKilled``, ``Timeout`` for a worker that Java killed as it did not answer in
time, ``exit CODE`` or ``exit``; ``log`` is the end of what the worker wrote, ``time`` when that
was, in seconds since 1970, and ``seconds`` how long it took until all workers were there again:
null while they are not.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from slipway_pods.serve.worker import last_words
from slipway_runtime.termination import clean_tail, oom_kills

PORT = 9902
POLL_SECONDS = 0.5
MOST_LOG = 2000
"""Characters of the log that the page has at most."""
LOG_SECONDS = 0.5
"""How much later than a worker's end Java has read what it wrote."""
WORKER = b"/model_service_worker.py"
NO_ANSWER = "Number or consecutive unsuccessful inference"
"""What Java says of a worker that it ends as an answer took too long (WorkerThread.java)."""
OOM_KILLED = "OOMKilled"


def workers(proc: Path = Path("/proc")) -> set[int]:
    """Return the process ids of TorchServe's workers in this container."""
    found = set()
    for folder in proc.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(WORKER) for word in words):
            found.add(int(folder.name))
    return found


def cause_of(note: str, log: str, *, oom: bool) -> str:
    """Return why a worker died, by its note, what Java said of it, and the kernel's count."""
    if note:
        return note
    if oom:
        return OOM_KILLED
    return "Timeout" if NO_ANSWER in log else "SIGKILL"


@dataclass
class Deaths:
    """What the page tells: how many workers have died since the start, and of the last one why."""

    count: int = 0
    cause: str = ""
    log: str = ""
    time: float = 0.0
    seconds: float | None = None
    _since: float | None = None

    def note(self, cause: str, log: str, noticed: float) -> None:
        """Note the death of a worker that was noticed at a time of ``time.monotonic``."""
        self.cause, self.log, self.time = cause, log, time.time()
        self.seconds, self._since = None, noticed if self._since is None else self._since
        self.count += 1

    def look(self, are_all_ready: Callable[[], bool]) -> None:
        """Note how long workers were missing, once they are not any more."""
        if self._since is not None and are_all_ready():
            self.seconds, self._since = time.monotonic() - self._since, None

    def page(self) -> bytes:
        """Return the page."""
        told = {"deaths": self.count, "cause": self.cause, "log": self.log, "time": self.time}
        return json.dumps({**told, "seconds": self.seconds}).encode()


def follow(
    deaths: Deaths,
    folder: Path,
    read_log: Callable[[int], str],
    goes_on: Callable[[], bool],
    are_all_ready: Callable[[], bool],
    alive: Callable[[], set[int]] = workers,
) -> None:
    """Note each worker's death in ``deaths`` for as long as the server goes on.

    ``folder`` has the workers' notes; ``read_log`` gives what the worker with a process id wrote,
    ``alive`` the process ids of all workers. ``are_all_ready`` is asked while workers are missing.
    """
    before, killed = alive(), oom_kills()
    while goes_on():
        time.sleep(POLL_SECONDS)
        now, noticed = alive(), time.monotonic()
        for pid in before - now:
            time.sleep(LOG_SECONDS)
            if not goes_on():
                return
            count, log = oom_kills(), read_log(pid)
            cause = cause_of(last_words.read(folder, pid), log, oom=count > killed)
            deaths.note(cause, clean_tail(log)[-MOST_LOG:], noticed)
            killed = count
        before = now
        deaths.look(are_all_ready)


def serve(deaths: Deaths, port: int) -> None:
    """Serve the page on loopback in a thread that ends with the process.

    Raises OSError where the port is taken.
    """

    class Page(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            body = deaths.page()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Log nothing: the page is asked for all the time."""

    server = HTTPServer(("127.0.0.1", port), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def watch(
    folder: Path,
    port: int,
    read_log: Callable[[int], str],
    are_all_ready: Callable[[], bool],
    parent: int,
) -> None:
    """Follow the workers and serve the page until the parent, which is the server, is gone."""
    deaths = Deaths()
    serve(deaths, port)
    follow(deaths, folder, read_log, lambda: os.getppid() == parent, are_all_ready)
