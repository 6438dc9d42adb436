"""A real S3 server for the runtime's tests, and the processes of a pod."""

import functools
import os
import shutil
import signal
import subprocess
import threading
import venv
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from dev import gotools
from tests.harness.ports import free_port
from tests.harness.s3 import S3Server


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A running S3 server with the bucket ``slipway``; the AWS_ variables point to it."""
    gotools.ensure(["slipway-store"])
    server = S3Server(tmp_path / "s3")
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def termination_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the container's last word, in place of the kubelet's."""
    path = tmp_path / "termination-log"
    monkeypatch.setenv("SLIPWAY_TERMINATION_LOG", str(path))
    return path


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder with a path short enough for a unix socket."""
    path = Path(f"/tmp/slipway-{os.getpid()}-{free_port()}")
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def pip_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the pip that it brings, as the images' is."""
    folder = tmp_path_factory.mktemp("pip")
    venv.create(folder, with_pip=True, symlinks=True)
    return folder / "bin" / "python"


def stop(process: "subprocess.Popen[str]") -> int:
    """End a process as the kubelet does, and return its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=120)


@pytest.fixture
def http_root(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served by HTTP, and the server's base URL."""
    folder = tmp_path / "www"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
