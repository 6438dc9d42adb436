"""A training script that tries what it must not do to the sidecar beside it, and prints how."""

import ctypes
import errno
import json
import os
import signal
import socket
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

AGENT = Path("/slipway/agent")
PROGRAM = b"slipway_pods.agent.agent"
SO_PEERPIDFD = 77
"""Gives a handle of the process at a socket's other end, also of one that has no number here.

Source: Linux, include/uapi/asm-generic/socket.h (since 6.5).
"""
CLONE_NEWNS = 0x00020000
FILES = ("environ", "mem", "maps", "fd", "root", "cwd")
"""What /proc shows of a process to whoever may trace it."""


def peer(option: int, form: str) -> int:
    """Return the first number of what the kernel says of the sidecar at its socket."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(AGENT / "agent.sock"))
        told = one.getsockopt(socket.SOL_SOCKET, option, struct.calcsize(form))
    return int(struct.unpack(form, told)[0])


def open_once(path: Path) -> None:
    """Open a file or a folder, and close it."""
    os.close(os.open(path, os.O_RDONLY))


def is_own(process: Path) -> bool:
    """Tell whether a process is this user's, or has ended meanwhile."""
    try:
        return process.stat().st_uid == os.getuid()
    except FileNotFoundError:
        return True


def opened() -> list[str]:
    """Return what can be opened of the processes of any other user, wherever they are seen."""
    others = (folder for folder in Path("/proc").glob("[0-9]*") if not is_own(folder))
    paths = (folder / name for folder in others for name in FILES)
    return [str(path) for path in paths if outcome(partial(open_once, path)) == "done"]


def end() -> None:
    """End the sidecar by the handle of it."""
    signal.pidfd_send_signal(peer(SO_PEERPIDFD, "i"), signal.SIGTERM)


def enter() -> None:
    """Enter the sidecar's file system by the handle of it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(peer(SO_PEERPIDFD, "i"), CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


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
    "end the sidecar": end,
    "enter the sidecar": enter,
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
    told = {
        "user": os.getuid(),
        "processes of the sidecar": processes(),
        "number of the sidecar": peer(socket.SO_PEERCRED, "3i"),
        "files of others": opened(),
    }
    print("outcomes", json.dumps({**told, **found}))
    os.close(tempfile.mkstemp(dir=os.environ["SLIPWAY_OUTPUT_DIR"])[0])


if __name__ == "__main__":
    main()
