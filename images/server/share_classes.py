"""Keep TorchServe's classes as Java has parsed them, so that each start takes half the work.

Run while the image is built. It serves a model that needs no PyTorch, asks it once and stops the
server, at whose end Java writes the archive of all classes that it has loaded. Java does without
an archive that does not fit it. Source: https://openjdk.org/jeps/350.

usage: share_classes.py ARCHIVE.jsa
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

TIMEOUT = 180.0
"""Seconds within which the model must answer, and the server must have ended."""
HANDLER = """
def handle(data, context):
    return ["ready"] * len(data or ())
"""
MANIFEST = {
    "runtime": "python",
    "model": {"modelName": "warm", "modelVersion": "1.0", "handler": "handler.py"},
}
ADDRESSES = ("inference", "management", "metrics")


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at, for a build may share its machine's network."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def prepare(folder: Path) -> str:
    """Write a model and a configuration into a folder; return the URL of the model's answers."""
    with zipfile.ZipFile(folder / "warm.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(MANIFEST))
        archive.writestr("handler.py", HANDLER)
    ports = free_ports(5)
    lines = [
        f"{name}_address=http://127.0.0.1:{port}"
        for name, port in zip(ADDRESSES, ports, strict=False)
    ]
    lines += [f"grpc_inference_port={ports[3]}", f"grpc_management_port={ports[4]}"]
    lines += ["disable_token_authorization=true", "disable_system_metrics=true"]
    lines += ["default_workers_per_model=1", "metrics_mode=prometheus", "load_models=warm.mar"]
    (folder / "config.properties").write_text("\n".join(lines))
    return f"http://127.0.0.1:{ports[0]}/predictions/warm"


def wait_for_answer(url: str, server: subprocess.Popen[bytes]) -> None:
    """Ask until the model answers."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            with urllib.request.urlopen(url, data=b"{}", timeout=10):  # noqa: S310 - on loopback
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def variables(folder: Path, archive: Path) -> Mapping[str, str]:
    """Return the server's variables."""
    places = dict.fromkeys(("TEMP", "LOG_LOCATION", "METRICS_LOCATION"), str(folder))
    options = f"-Xmx256m -Xlog:disable -XX:ArchiveClassesAtExit={archive}"
    return {**os.environ, **places, "JAVA_TOOL_OPTIONS": options}


def main(archive: Path) -> None:
    """Serve, ask, stop; end with an error where there is no archive then."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = prepare(folder)
        server = subprocess.Popen(
            ["/opt/slipway/torchserve", "-f", folder / "config.properties", "-s", folder, "-ncs"],
            env=variables(folder, archive),
        )
        try:
            wait_for_answer(url, server)
        finally:
            server.terminate()
            server.wait(TIMEOUT)
    archive.chmod(0o444)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
