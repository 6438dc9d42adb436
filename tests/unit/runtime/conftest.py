"""A real S3 server for the runtime's tests, and the processes of a pod."""

import functools
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from dev import gotools
from tests.harness.ports import free_port
from tests.harness.waiting import wait_for

BUCKET = "slipway"


def takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class S3Server:
    """versitygw on a temporary folder, on one port; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.bucket = folder / "buckets" / BUCKET
        self.bucket.mkdir(parents=True)
        (folder / "metadata").mkdir()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        command = [
            *(str(gotools.path("versitygw")), "--port", f"127.0.0.1:{self.port}", "--quiet"),
            *("posix", "--sidecar", str(self._folder / "metadata"), str(self.bucket.parent)),
        ]
        env = {**os.environ, "ROOT_ACCESS_KEY_ID": "key", "ROOT_SECRET_ACCESS_KEY": "secret"}
        self._process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        wait_for(lambda: takes_connections(self.port), 20, "the S3 server takes connections")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def keys(self, prefix: str = "") -> set[str]:
        """Return what lies beneath a prefix, without it."""
        root = self.bucket / prefix
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    def read(self, key: str) -> bytes:
        return (self.bucket / key).read_bytes()


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A running S3 server with the bucket ``slipway``; the AWS_ variables point to it."""
    gotools.ensure(["versitygw"])
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


def stop(process: "subprocess.Popen[str]") -> int:
    """End a process as the kubelet does, and return its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=20)


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
