"""The S3 server of a release, as its image starts it: on a folder, on two ports."""

import os
import socket
import subprocess
from pathlib import Path
from urllib.request import urlopen

from dev import gotools
from tests.harness.ports import free_port
from tests.harness.waiting import wait_for

BUCKET = "slipway"


def takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class S3Server:
    """The server on a temporary folder; it can be stopped and started again.

    ``quota`` is what a namespace may store in bytes, ``objects`` in objects; ``reserved`` what of
    the disk stays free, in bytes.
    ``certificate`` is a folder with ``tls.crt`` and ``tls.key``; with it the server takes TLS on
    ``secure_port``, and besides no TLS on ``port`` unless that is closed.
    ``idle`` is how many seconds a client may keep a connection that it does not use, and
    ``connections`` how many may be open at a time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quota: int = 0,
        objects: int = 0,
        reserved: int = 0,
        certificate: Path | None = None,
        plain: bool = True,
        idle: int = 75,
        connections: int = 2048,
    ) -> None:
        self.port = free_port()
        self.secure_port = free_port()
        self.certificate = certificate
        self.plain = plain
        self.idle = idle
        self.connections = connections
        self.status_port = free_port()
        self.quota = quota
        self.objects = objects
        self.reserved = reserved
        self.bucket = folder / "buckets" / BUCKET
        self.bucket.mkdir(parents=True, exist_ok=True)
        self.folder = folder
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
        env = {
            **os.environ,
            "ROOT_ACCESS_KEY_ID": "key",
            "ROOT_SECRET_ACCESS_KEY": "secret",
            "SLIPWAY_STORE_FOLDER": str(self.folder),
            "SLIPWAY_STORE_STATUS_PORT": f"127.0.0.1:{self.status_port}",
            "SLIPWAY_STORE_QUOTA_BYTES": str(self.quota),
            "SLIPWAY_STORE_QUOTA_OBJECTS": str(self.objects),
            "SLIPWAY_STORE_RESERVED_BYTES": str(self.reserved),
            "SLIPWAY_STORE_IDLE_SECONDS": str(self.idle),
            "SLIPWAY_STORE_CONNECTIONS": str(self.connections),
            "VGW_PORT": f"127.0.0.1:{self.port}",
            "SLIPWAY_STORE_PLAIN_PORT": "open" if self.plain else "closed",
            "SLIPWAY_STORE_TLS_FOLDER": str(self.certificate or ""),
            "SLIPWAY_STORE_TLS_PORT": f"127.0.0.1:{self.secure_port}",
        }
        program = gotools.path("slipway-store")
        self._process = subprocess.Popen([program], env=env, stdout=subprocess.DEVNULL)
        wait_for(self._is_ready, 120, "the S3 server takes connections")

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.status_port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def peak_mib(self) -> int:
        """The most memory that the server has had so far."""
        if self._process is None:
            return 0
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    def keys(self, prefix: str = "") -> set[str]:
        """Return what lies beneath a prefix, without it."""
        root = self.bucket / prefix
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    def read(self, key: str) -> bytes:
        return (self.bucket / key).read_bytes()
