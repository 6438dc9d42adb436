"""A packaging pod's container that asks the model, and the start of a serving pod, for real."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from unittest import mock

from slipway_pods.package.samples import answer
from slipway_pods.serve import startup
from slipway_pods.serve.samples import stored
from slipway_pods.serve.samples.rows import read
from slipway_runtime import drain
from tests.harness.ports import free_ports
from tests.unit.runtime.samples import model
from tests.unit.server.conftest import PYTHONPATH, Served, served

SETTINGS = answer.Settings(model="net", tolerance=1e-4, seconds=120)


def engine(folder: Path, text: str = model.ENGINE) -> str:
    """Return the folder of an image in which that version of a library is installed."""
    folder.mkdir(exist_ok=True)
    (folder / "engine.py").write_text(text)
    return str(folder)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Have the processes that are started meanwhile see variables."""
    with mock.patch.dict(os.environ, variables):
        yield


def packaged(folder: Path, **variables: str) -> bytes:
    """Return the entry of the model's archive, made by the container that asks it."""
    archive = model.write(folder / "packaged.mar")
    samples = read(model.rows())
    with environment(PYTHONPATH=PYTHONPATH, ENGINE=engine(folder / "image"), **variables):
        until = time.monotonic() + SETTINGS.seconds
        with mock.patch.object(answer, "free_ports", free_ports):
            answers, _ = answer.answer(SETTINGS, archive, samples, folder / "answer.log", until)
    return stored.entry(samples, answers, SETTINGS.tolerance)


class Envoy:
    """Envoy's admin interface, by what it is told."""

    def __init__(self) -> None:
        self.posts: list[str] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posts.append(self.path)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@contextmanager
def envoy() -> Iterator[Envoy]:
    found = Envoy()
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        thread.join()
        found.server.server_close()


def settings(process: Served, archive: Path, workers: int = 1) -> startup.Settings:
    """Return the watcher's settings for a server."""
    inference, management, _ = process.ports
    env = {
        "SLIPWAY_MODEL": "net",
        "SLIPWAY_WORKERS": str(workers),
        "SLIPWAY_MANAGEMENT": f"http://127.0.0.1:{management}",
        "SLIPWAY_INFERENCE": f"http://127.0.0.1:{inference}",
        "SLIPWAY_STARTUP_SECONDS": "120",
        "SLIPWAY_ARCHIVE": str(archive),
        "LOG_LOCATION": str(archive.parent),
    }
    return startup.Settings.from_environment(env)


def start(
    archive: Path, *options: str, **variables: str
) -> tuple[startup.Failure | None, list[str]]:
    """Start a server pod with an archive; return why it may not serve, and what Envoy was told."""
    with environment(**variables), envoy() as proxy, served(archive, *options) as process:
        admin = drain.Settings(admin=f"http://127.0.0.1:{proxy.server.server_address[1]}")
        failure = startup.watch(settings(process, archive), admin, os.getppid())
    return failure, proxy.posts
