"""versitygw, the S3 server of a release, as its image starts it: on a folder, on one port."""

import os
import socket
import subprocess
from pathlib import Path

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
        (folder / "iam").mkdir()
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
            *("--iam-dir", str(self._folder / "iam")),
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
