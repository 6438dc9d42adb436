"""A training script that tries what it must not do to the sidecar beside it, and prints outcomes.

It runs in the trainer container, in a pod whose containers see each other's processes.
"""

import errno
import json
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

AGENT = Path("/slipway/agent")
PROGRAM = b"slipway_runtime.agent"


def processes() -> list[Path]:
    """Return the folders of the sidecar's processes."""
    return [
        folder
        for folder in Path("/proc").glob("[0-9]*")
        if PROGRAM in (folder / "cmdline").read_bytes().split(b"\0")
    ]


def bind() -> None:
    """Listen where the sidecar hands out its sockets."""
    with socket.socket(socket.AF_UNIX) as mine:
        mine.bind(str(AGENT / "mine.sock"))


def attempts(sidecar: Path) -> dict[str, Callable[[], object]]:
    """Return what is tried, by names."""
    return {
        "add a module": lambda: (AGENT / "lib" / "json.py").write_text(""),
        "change the launcher": lambda: (AGENT / "launch.py").write_text(""),
        "remove the launcher": lambda: (AGENT / "launch.py").unlink(),
        "remove the socket": lambda: (AGENT / "agent.sock").unlink(),
        "listen beside the socket": bind,
        "read its variables": lambda: (sidecar / "environ").read_bytes(),
        "read its memory": lambda: (sidecar / "mem").open("rb"),
        "see its files": lambda: list((sidecar / "root").iterdir()),
        "see what it has open": lambda: list((sidecar / "fd").iterdir()),
        "end it": lambda: os.kill(int(sidecar.name), signal.SIGKILL),
    }


def outcome(attempt: Callable[[], object]) -> str:
    """Return the name of the error that an attempt ends with; ``done`` for none."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def main() -> None:
    """Print each attempt's outcome, and leave a file that only this user can read."""
    (sidecar,) = processes()
    found = {name: outcome(attempt) for name, attempt in attempts(sidecar).items()}
    print("outcomes", json.dumps({"user": os.getuid(), **found}))
    os.close(tempfile.mkstemp(dir=os.environ["SLIPWAY_OUTPUT_DIR"])[0])


if __name__ == "__main__":
    main()
