"""A training script that tries what it must not do to the sidecar beside it, and prints how."""

import errno
import json
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

AGENT = Path("/slipway/agent")
PROGRAM = b"slipway_runtime.agent"


def processes() -> int:
    """Return how many processes of the sidecar are to be seen."""
    commands = (folder / "cmdline" for folder in Path("/proc").glob("[0-9]*"))
    return sum(PROGRAM in command.read_bytes().split(b"\0") for command in commands)


def bind() -> None:
    """Listen where the sidecar hands out its sockets."""
    with socket.socket(socket.AF_UNIX) as mine:
        mine.bind(str(AGENT / "mine.sock"))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "add a module": lambda: (AGENT / "lib" / "json.py").write_text(""),
    "change the launcher": lambda: (AGENT / "launch.py").write_text(""),
    "remove the launcher": lambda: (AGENT / "launch.py").unlink(),
    "remove the socket": lambda: (AGENT / "agent.sock").unlink(),
    "listen beside the socket": bind,
}
"""What is tried, by names."""


def outcome(attempt: Callable[[], object]) -> str:
    """Return the name of the error that an attempt ends with; ``done`` for none."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def main() -> None:
    """Print each attempt's outcome, and leave a file that only this user can read."""
    found = {name: outcome(attempt) for name, attempt in ATTEMPTS.items()}
    told = {"user": os.getuid(), "processes of the sidecar": processes(), **found}
    print("outcomes", json.dumps(told))
    os.close(tempfile.mkstemp(dir=os.environ["SLIPWAY_OUTPUT_DIR"])[0])


if __name__ == "__main__":
    main()
